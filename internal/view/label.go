package view

import (
	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }

// other is a name for which there is no label.
func other(name string) mime.Text { return mime.Text{English: name} }

// StateLabel is what people call the state of a delivery; its English is its name in JSON.
func StateLabel(s store.State) mime.Text {
	switch s {
	case store.Queued:
		return text("label.state_queued", "queued")
	case store.Unverified:
		return text("label.state_unverified", "unverified")
	case store.Sending:
		return text("label.state_sending", "sending")
	case store.Held:
		return text("label.state_held", "held")
	case store.Sent:
		return text("label.state_sent", "sent")
	case store.Failed:
		return text("label.state_failed", "failed")
	case store.Expired:
		return text("label.state_expired", "expired")
	case store.Cancelled:
		return text("label.state_cancelled", "cancelled")
	}
	return other(s.String())
}

// RecipientLabel is what people call the state of a recipient.
func RecipientLabel(s store.RecipientState) mime.Text {
	switch s {
	case store.Pending:
		return text("label.recipient_pending", "pending")
	case store.RecipientSent:
		return text("label.recipient_sent", "sent")
	case store.RecipientFailed:
		return text("label.recipient_failed", "failed")
	case store.RecipientCanceled:
		return text("label.recipient_cancelled", "cancelled")
	}
	return other(string(s))
}

// ClassLabel is what people call the class of an outcome; zero for none.
func ClassLabel(c adapters.Class) mime.Text {
	switch c {
	case adapters.Accepted:
		return text("label.class_accepted", "accepted")
	case adapters.Permanent:
		return text("label.class_permanent", "permanent")
	case adapters.Transient:
		return text("label.class_transient", "transient")
	case adapters.Throttled:
		return text("label.class_throttled", "throttled")
	case adapters.Auth:
		return text("label.class_auth", "auth")
	case adapters.Unknown:
		return text("label.class_unknown", "unknown")
	}
	return other(string(c))
}

// AttemptLabel is what people call the kind of an attempt.
func AttemptLabel(k store.Kind) mime.Text {
	switch k {
	case store.Send:
		return text("label.attempt_send", "send")
	case store.Verify:
		return text("label.attempt_verify", "verify")
	case store.Moved:
		return text("label.attempt_move", "move")
	}
	return other(string(k))
}

// VerdictLabel is what a verification found, for people; zero for none.
func VerdictLabel(v adapters.Verdict) mime.Text {
	switch v {
	case adapters.Sent:
		return text("label.verdict_sent", "sent")
	case adapters.NotSent:
		return text("label.verdict_not_sent", "not sent")
	case adapters.InProgress:
		return text("label.verdict_in_progress", "in progress")
	case adapters.CannotTell:
		return text("label.verdict_cannot_tell", "cannot tell")
	}
	return other(string(v))
}

// DefaultLabel is what people call the mode of a default connection.
func DefaultLabel(d gateway.DefaultMode) mime.Text {
	switch d {
	case "", gateway.DefaultNo:
		return text("label.default_no", "no")
	case gateway.DefaultUnrouted:
		return text("label.default_unrouted", "unrouted")
	case gateway.DefaultAlways:
		return text("label.default_always", "always")
	}
	return other(string(d))
}

// RoleLabel is what people call the role of a person.
func RoleLabel(r store.Role) mime.Text {
	switch r {
	case store.RoleAdmin:
		return text("label.role_admin", "admin")
	case store.RoleOperator:
		return text("label.role_operator", "operator")
	}
	return other(string(r))
}

// EntryPointLabel says by which entry point a message came.
func EntryPointLabel(name string) mime.Text {
	switch name {
	case "api":
		return text("label.entry_api", "HTTP")
	case "smtp":
		return text("label.entry_smtp", "SMTP")
	case "pickup":
		return text("label.entry_pickup", "a pickup folder")
	case "postino":
		return text("label.entry_postino", "postino itself")
	}
	return other(name) // sendmail, go
}
