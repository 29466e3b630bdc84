package adapters

// A Code is the cause of a failure: the same for one cause in every adapter, and
// stable. errors.Is(err, CodeTimeout) asks for it. What the provider calls it
// is in Error.ProviderCode.
type Code string

// Error makes a code a target of errors.Is.
func (c Code) Error() string { return string(c) }

// Causes that this module finds itself.
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
	CodeSenderNotAllowed  Code = "sender_not_allowed"  // the connection is not for the message's From
	CodeConfig            Code = "config"              // no adapter can be made of the connection and the options
	CodeNoCredential      Code = "no_credential"       // the connection has nothing to request a token with
	CodeToken             Code = "token"               // no token, for a reason that its source does not tell
	CodeNoRecipients      Code = "no_recipients"       // the envelope names no one
	CodeTooManyRecipients Code = "too_many_recipients" // more than the provider takes in one message
	CodeTooLarge          Code = "too_large"           // the message is larger than this route carries
	CodeUnreadable        Code = "unreadable"          // the message's own bytes cannot be read
	CodeGarbage           Code = "garbage"             // the answer is none of this provider's
	CodeWebPage           Code = "web_page"            // a web page came in place of an answer
	CodeEmptyAnswer       Code = "empty_answer"        // the answer has no content
	CodeRedirect          Code = "redirect"            // the answer leads elsewhere
	CodeProxyAuth         Code = "proxy_auth"          // the proxy wants a login
	CodeNoReply           Code = "no_reply"            // handed over, and no answer came: it may have been sent
)

// Causes for which a provider refuses a credential or an application.
const (
	CodeCredentialRefused Code = "credential_refused" // wrong secret, certificate, key or password
	CodeCredentialExpired Code = "credential_expired" // the secret or certificate has ended
	CodeClockWrong        Code = "clock_wrong"        // the signed request is outside its time
	CodeTokenRefused      Code = "token_refused"      // the provider does not accept the access token
	CodeAppUnknown        Code = "app_unknown"        // the application or service account does not exist or is disabled
	CodeTenantUnknown     Code = "tenant_unknown"     // the organization does not exist, or in another cloud
	CodePermissionMissing Code = "permission_missing" // no consent, scope or delegation for what is asked
	CodeAccessDenied      Code = "access_denied"      // the application may not use the mailbox
	CodeBlockedByPolicy   Code = "blocked_by_policy"  // a rule of the organization forbids it
	CodeServiceDisabled   Code = "service_disabled"   // the API, SMTP login or passwords are switched off
	CodeLoginRequired     Code = "login_required"     // the server wants a login
	CodeTLSRequired       Code = "tls_required"       // the server wants encryption
	CodeTLSUnavailable    Code = "tls_unavailable"    // the server cannot or will not encrypt
	CodeMachineRefused    Code = "machine_refused"    // this machine's address or name is not accepted
	CodeAccountBlocked    Code = "account_blocked"    // the provider has blocked sending by this account
)

// Causes for which a provider refuses or delays a message.
const (
	CodeSenderRefused      Code = "sender_refused"       // the mailbox or login may not send as this sender
	CodeSenderUnproven     Code = "sender_unproven"      // SPF, DKIM or DMARC of the sender's domain
	CodeRelayRefused       Code = "relay_refused"        // the server does not send to other domains for this side
	CodeMailboxUnknown     Code = "mailbox_unknown"      // the sending mailbox does not exist
	CodeMailboxUnavailable Code = "mailbox_unavailable"  // it is disabled, without licence, locked or being moved
	CodeMailboxFull        Code = "mailbox_full"         // the sending mailbox is full
	CodeRecipientUnknown   Code = "recipient_unknown"    // the recipient does not exist
	CodeRecipientRefused   Code = "recipient_refused"    // the recipient is not accepted
	CodeRecipientFull      Code = "recipient_full"       // the recipient's mailbox is full
	CodeMessageRefused     Code = "message_refused"      // the form or content of the message is not accepted
	CodeCommandRefused     Code = "command_refused"      // the request itself is not accepted
	CodeThrottled          Code = "throttled"            // too fast: slow down
	CodeTooManyConnections Code = "too_many_connections" // too many requests or sessions at once
	CodeSendingLimit       Code = "sending_limit"        // all that may be sent in an hour or a day
	CodeDelayed            Code = "delayed"              // greylisting and checks that take time
	CodeProviderBusy       Code = "provider_busy"        // cannot take the message at the moment
	CodeProviderFault      Code = "provider_fault"       // an error of the provider's own
	CodeRefused            Code = "refused"              // refused for a reason that is not known here
	// CodeDuplicate is a server that refuses a message because it has accepted one with
	// this Message-ID: after an outcome that was not known it is evidence of that acceptance.
	CodeDuplicate Code = "duplicate_delivery"
)
