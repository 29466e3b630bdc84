package adapters

import (
	"context"
	"io"
	"time"

	"github.com/postino-mail/postino/mime"
)

// An Adapter sends over one connection. All methods are safe for concurrent
// use; memory does not grow with the message.
type Adapter interface {
	// Send hands out.Message to the provider for exactly the recipients of
	// out.Envelope, once: no hidden retries of the message itself. The error is
	// an *Error (or nil); context cancellation returns Transient when nothing can
	// have been accepted and Unknown when it can. With a nil error some
	// recipients may still have been refused: see Receipt.Recipients.
	Send(ctx context.Context, out Outgoing) (Receipt, error)

	// Check says, without any network, whether this route can carry the
	// message: size, sender, recipients. A nil error is no promise that the
	// provider accepts. Used when a client hands a message over, so that what cannot leave is refused then.
	Check(out Outgoing) error

	// MaxSize is the largest message in bytes that the route carries, 0 when
	// the provider alone knows.
	MaxSize() int64

	// Probe tests token, access and reachability without sending.
	Probe(ctx context.Context) error

	// Close ends kept connections; Sends in flight may finish.
	Close() error
}

// Outgoing is one message on its way out.
type Outgoing struct {
	Message  *mime.Message
	Envelope mime.Envelope
	ID       string // delivery id for correlation (client-request-id); may be empty
	// Permit, where set, is asked by Send right before each step that may make
	// the provider send, and before each block of a message that leaves. Its
	// error ends the Send: nothing was sent. A process that was stopped while
	// another took its work over learns of it here. Safe for concurrent use.
	Permit func() error
}

// Permitted reads from r for as long as Permit allows it.
func (o Outgoing) Permitted(r io.Reader) io.Reader {
	if o.Permit == nil {
		return r
	}
	return &permitted{r, o.Permit}
}

type permitted struct {
	r      io.Reader
	permit func() error
}

func (p *permitted) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n == 0 { // at the end all of it has left: it is too late to ask
		return n, err
	}
	if denied := p.permit(); denied != nil { // after the read, which may have taken long
		return 0, denied
	}
	return n, err
}

// Addresses are the forward-paths of the envelope.
func (o Outgoing) Addresses() []mime.Mailbox {
	out := make([]mime.Mailbox, len(o.Envelope.Recipients))
	for i, r := range o.Envelope.Recipients {
		out[i] = r.Address
	}
	return out
}

// A Receipt is the evidence of an acceptance.
type Receipt struct {
	Provider   Provider          `json:"provider"`
	Route      string            `json:"route"`                 // "mime", "upload-session", "multipart", "resumable", "smtp"
	MessageID  string            `json:"message_id"`            // RFC 5322 Message-ID as sent
	ProviderID string            `json:"provider_id,omitempty"` // Gmail id, Graph immutable id, queue id of the SMTP reply
	RequestID  string            `json:"request_id,omitempty"`  // Graph request-id
	Reply      string            `json:"reply,omitempty"`       // SMTP reply to the final dot, one line
	Status     int               `json:"status"`                // HTTP status or SMTP code
	Bytes      int64             `json:"bytes"`                 // message bytes of the view that was sent
	SHA256     string            `json:"sha256,omitempty"`      // hex, of those bytes; empty where the message was rebuilt
	At         time.Time         `json:"at"`
	Recipients []RecipientResult `json:"recipients"`
	Lost       []string          `json:"lost,omitempty"` // what the provider's large path could not keep, in words

	// DSN: the next server took over what the envelope wants to be told (RFC 3461
	// section 5.2.2), so no one else tells of success.
	DSN bool `json:"dsn,omitempty"`
}

// A RecipientResult is the outcome for one recipient; Err is nil when it was accepted.
type RecipientResult struct {
	Address mime.Mailbox `json:"address"`
	Err     *Error       `json:"error,omitempty"`
}

// A Verdict answers: was the message sent?
type Verdict string

// The verdicts.
const (
	Sent       Verdict = "sent"
	NotSent    Verdict = "not_sent"    // looked in the right place and it is not there
	InProgress Verdict = "in_progress" // the provider still works on it: ask again later
	CannotTell Verdict = "cannot_tell" // no permission, no such question at this provider
)

// A Verifier is an Adapter that can find out about an unknown outcome. NotSent
// just after the attempt proves little, because a provider shows what it sent
// with delay: the caller asks again until its settle time is over. The receipt
// is filled where the verdict is Sent; the error is an *Error beside CannotTell
// and means: ask again. Safe for concurrent use.
type Verifier interface {
	Verify(ctx context.Context, req VerifyRequest) (Verdict, Receipt, error)
}

// contracts B3.5: what was sent shows with delay

// A VerifyRequest asks what became of one attempt to send.
type VerifyRequest struct {
	Outgoing             // as it was given to Send; Permit is not asked
	ProviderID string    // Error.ProviderID of the attempt; may be empty
	Since      time.Time // when the attempt began: older copies belong to earlier sends; zero: not known
}

// An Audience is what a token is for: one of these, or a scope of the issuer that
// begins with "https://".
type Audience string

// contracts A1.5, C1.3, D2.4, D3.2

// The audiences.
const (
	AudienceGraph       Audience = "graph"        // {graph host}/.default
	AudienceOutlookSMTP Audience = "outlook-smtp" // https://outlook.office365.com/.default
	AudienceGmailSend   Audience = "gmail-send"   // gmail.send
	AudienceGmailRead   Audience = "gmail-read"   // gmail.readonly, for Verify only
	AudienceGmailSMTP   Audience = "gmail-smtp"   // https://mail.google.com/
)

// A TokenSource returns the access token of one credential for one audience.
// Safe for concurrent use; a cached token costs no allocation.
type TokenSource interface {
	// Token returns a token that is good for at least a few more minutes when the
	// provider's lifetime allows it. The error is an *Error with class and hint.
	Token(ctx context.Context) (string, error)
	// Renew is called after the provider refused rejected (401). It fetches a
	// new token unless the cache holds another one already; a provider that
	// keeps refusing causes one fetch, not one a message.
	Renew(ctx context.Context, rejected string) (string, error)
}

// TokenSources finds the token source of a connection. Implemented by tokens.Cache.
type TokenSources interface {
	TokenSource(c *Connection, a Audience) (TokenSource, error)
}
