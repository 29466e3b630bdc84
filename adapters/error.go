package adapters

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/postino-mail/postino/mime"
)

// A Class is what an outcome means for what happens next.
type Class string

// Error makes a class a target of errors.Is.
func (c Class) Error() string { return string(c) }

// The outcome classes.
const (
	Accepted  Class = "accepted"
	Permanent Class = "permanent" // never retry unchanged; tell the sender
	Transient Class = "transient" // retry with growing delay
	Throttled Class = "throttled" // pause the lane for RetryAfter
	Auth      Class = "auth"      // pause the connection, alert, keep the mail
	Unknown   Class = "unknown"   // it may have been sent: verify, never blindly repeat
)

// A Scope is what a failure concerns beyond the one message.
type Scope string

// The scopes.
const (
	ScopeMessage    Scope = "message"
	ScopeLane       Scope = "lane"       // the mailbox
	ScopeConnection Scope = "connection" // the credential or the host
)

// A Text is a sentence for people, in every language of the catalogue.
type Text = mime.Text

// An Error is the one error type of everything that sends. Error() and every
// field but Err are safe to show: they hold no secret and no provider body.
// errors.Is compares it with a Class or a Code:
//
//	errors.Is(err, adapters.Throttled)
//	errors.Is(err, adapters.CodeTimeout)
type Error struct {
	Class    Class    `json:"class"`
	Scope    Scope    `json:"scope,omitempty"`
	Provider Provider `json:"provider,omitempty"`
	Code     Code     `json:"code,omitempty"` // the cause
	// ProviderCode is what the provider calls it, where it names it: "ErrorSendAsDenied",
	// "AADSTS7000215", "rateLimitExceeded", "554 5.2.252".
	ProviderCode string `json:"provider_code,omitempty"`

	Status     int           `json:"status,omitempty"`      // HTTP status or SMTP reply code, 0 when none was read
	Enhanced   string        `json:"enhanced,omitempty"`    // enhanced status code for the sender (RFC 3463), such as "5.7.1"
	RetryAfter time.Duration `json:"-"`                     // how long the provider asked to wait; in JSON retry_after_seconds
	Message    Text          `json:"message"`               // what happened
	Hint       Text          `json:"hint"`                  // what to do about it, and who
	RequestID  string        `json:"request_id,omitempty"`  // provider's correlation id
	ProviderID string        `json:"provider_id,omitempty"` // what Verify needs to find the message: a draft's immutable id
	NoRetry    bool          `json:"no_retry,omitempty"`    // repeating harms the mailbox (send-as refusals, logins that lock it)
	TooLarge   bool          `json:"too_large,omitempty"`   // this route cannot carry the size; another might
	// Concurrency reports that the provider refused because too many requests or sessions were open at once.
	Concurrency bool  `json:"concurrency,omitempty"`
	Err         error `json:"-"` // cause, for errors.Is and debug logs only after redaction; never shown
}

// Is reports whether target is the class or the code of e, so that errors.Is
// can ask for them.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Class:
		return t == e.Class
	case Code:
		return t == e.Code
	}
	return false
}

// Temporary reports whether the same message may be accepted later on the same
// connection: after a wait, or after its settings have been corrected.
func (e *Error) Temporary() bool {
	switch e.Class {
	case Transient, Throttled, Auth:
		return true
	}
	return false
}

// Error returns the message and its hint in English.
func (e *Error) Error() string {
	s := e.Message.String()
	if s == "" {
		s = string(e.Class) + " failure"
	}
	if c := e.ShownCode(); c != "" {
		s = fmt.Sprintf("%s (%s)", s, c)
	}
	if e.Hint.String() != "" {
		s += ": " + e.Hint.String()
	}
	return s
}

// ShownCode is the code to show beside the message, to look up or to search for:
// the provider's own where it gave one.
func (e *Error) ShownCode() string { return cmp.Or(e.ProviderCode, string(e.Code)) }

func (e *Error) Unwrap() error { return e.Err }

// ConfigError is why no adapter can be made: the connection or the options of the
// program are wrong.
func ConfigError(p Provider, message Text) *Error {
	return &Error{Class: Auth, Scope: ScopeConnection, Provider: p, Code: CodeConfig, Message: message,
		Hint: mime.NewText("connection.config_hint", "correct the program or the connection")}
}

// AsError returns the *Error in err's chain; an error of another type becomes
// one of class Unknown, because nothing is known of it. nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Unknown, Scope: ScopeMessage, Err: err,
		Message: mime.NewText("connection.provider_answer_not_known", "the provider's answer is not known")}
}

// ClassOf is the class of err: Accepted for nil.
func ClassOf(err error) Class {
	if err == nil {
		return Accepted
	}
	return AsError(err).Class
}
