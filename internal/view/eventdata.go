package view

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// The data of events, by their types. Texts stand in every language: who reads them is
// not known when they are written.

// AcceptedData goes with message.accepted and message.resubmitted.
type AcceptedData struct {
	MessageID  string `json:"message_id" doc:"The header's Message-ID"`
	Connection string `json:"connection" doc:"Id"`
	From       string `json:"from"`
	Subject    string `json:"subject"`
	store.Label
	ResentOf   string   `json:"resent_of,omitempty" doc:"Id of the message that this one repeats"`
	Recipients []string `json:"recipients"`
}

// DeliveryData goes with the states of a delivery: delivery.sent, delivery.failed and so on.
type DeliveryData struct {
	MessageID  string           `json:"message_id"`
	State      store.State      `json:"state"`
	Class      string           `json:"class" doc:"Of the attempt: accepted, permanent, transient, throttled, auth or unknown"`
	Connection string           `json:"connection" doc:"Id"`
	Recipients []EventRecipient `json:"recipients"`
	Error      *EventError      `json:"error,omitempty"`
	store.Label
}

// EventRecipient is one recipient in an event.
type EventRecipient struct {
	Address string      `json:"address"`
	Notify  []string    `json:"notify,omitempty" doc:"RFC 3461"`
	ORcpt   string      `json:"orcpt,omitempty" doc:"RFC 3461"`
	State   string      `json:"state" enum:"pending,sent,failed,cancelled"`
	Error   *EventError `json:"error,omitempty"`
	At      time.Time   `json:"at,omitzero" doc:"Of the last change"`
}

// EventError is a failure of a provider in an event.
type EventError struct {
	Class        string    `json:"class" doc:"permanent, transient, throttled, auth or unknown"`
	Scope        string    `json:"scope,omitempty"`
	Provider     string    `json:"provider,omitempty"`
	Code         string    `json:"code,omitempty" doc:"The cause, the same for all providers"`
	ProviderCode string    `json:"provider_code,omitempty"`
	Status       int       `json:"status,omitempty" doc:"HTTP status or SMTP reply code"`
	Enhanced     string    `json:"enhanced,omitempty" doc:"RFC 3463"`
	Message      EventText `json:"message" doc:"What happened"`
	Hint         EventText `json:"hint" doc:"What to do about it"`
	RequestID    string    `json:"request_id,omitempty"`
	ProviderID   string    `json:"provider_id,omitempty"`
	NoRetry      bool      `json:"no_retry,omitempty"`
	TooLarge     bool      `json:"too_large,omitempty"`
	Concurrency  bool      `json:"concurrency,omitempty"`
	RetryAfter   float64   `json:"retry_after_seconds,omitempty"`
}

// EventText is a sentence in every language.
type EventText struct {
	Code string `json:"code,omitempty"`
	En   string `json:"en"`
	It   string `json:"it,omitempty"`
}

// MovedData goes with delivery.moved.
type MovedData struct {
	MessageID string `json:"message_id"`
	From      string `json:"from_connection" doc:"Id"`
	To        string `json:"connection" doc:"Id"`
	store.Label
}

// NotificationData goes with notification.failed. Without an error, the notification
// was made and could not be delivered.
type NotificationData struct {
	MessageID string `json:"message_id"`
	Sender    string `json:"sender,omitempty" doc:"Who was to be told"`
	Kind      string `json:"kind,omitempty" enum:"failed,delayed,relayed,unknown"`
	Error     string `json:"error,omitempty" doc:"Why it could not be made"`
	store.Label
}

// AlertData goes with alert.raised and alert.resolved.
type AlertData struct {
	Alert      string    `json:"alert" doc:"Id"`
	Kind       string    `json:"kind"`
	Connection string    `json:"connection,omitempty"`
	Name       string    `json:"name"`
	Ends       time.Time `json:"ends,omitzero"`
	DaysLeft   *int      `json:"days_left,omitempty"`
	Since      time.Time `json:"since"`
	Message    EventText `json:"message"`
	Hint       EventText `json:"hint,omitzero"`
}
