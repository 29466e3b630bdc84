package adapters

// A Code is the cause of a failure that this module found itself: the same in
// every adapter, and stable. errors.Is(err, CodeTimeout) asks for it.
type Code string

// Error makes a code a target of errors.Is.
func (c Code) Error() string { return string(c) }

// The causes that every adapter shares.
const (
	CodeCancelled         Code = "cancelled"           // the caller gave up
	CodeNetwork           Code = "network"             // the network failed in a way that is not known
	CodeTimeout           Code = "timeout"             // no answer in time
	CodeDNSNotFound       Code = "dns_not_found"       // the host's name does not exist
	CodeDNSFailed         Code = "dns_failed"          // no answer of DNS
	CodeProxy             Code = "proxy"               // the proxy cannot be reached or refused
	CodeConnectionRefused Code = "connection_refused"  // the host refused the connection
	CodeUnreachable       Code = "unreachable"         // no network path to the host
	CodeConnectionLost    Code = "connection_lost"     // the connection ended before the answer
	CodeTLSNotSpoken      Code = "tls_not_spoken"      // no TLS on this port
	CodeTLSFailed         Code = "tls_failed"          // no secure connection, for another reason than those below
	CodeTLSExpired        Code = "tls_expired"         // the certificate has expired
	CodeTLSNotYetValid    Code = "tls_not_yet_valid"   // the certificate is not valid yet, or the clock is wrong
	CodeTLSUntrusted      Code = "tls_untrusted"       // the certificate's authority is not trusted
	CodeTLSWrongName      Code = "tls_wrong_name"      // the certificate is for other names
	CodeUnknownProvider   Code = "unknown_provider"    // the router has no adapter for the connection's provider
	CodeClosedSecret      Code = "closed_secret"       // a sealed secret of the connection cannot be opened
	CodeNoSender          Code = "no_sender"           // the message has no single sender
	CodeConfig            Code = "config"              // no adapter can be made of the connection and the options
	CodeNoCredential      Code = "no_credential"       // the connection has nothing to request a token with
	CodeToken             Code = "token"               // no token, for a reason that its source does not tell
	CodeNoRecipients      Code = "no_recipients"       // the envelope names no one
	CodeTooManyRecipients Code = "too_many_recipients" // more than the provider takes in one message
	CodeTooLarge          Code = "too_large"           // the message is larger than this route carries
	CodeUnreadable        Code = "unreadable"          // the message's own bytes cannot be read
	CodeGarbage           Code = "garbage"             // the answer is none of this provider's
)
