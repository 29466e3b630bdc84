package view

import (
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// A Delivery is one message on its way out.
type Delivery struct {
	ID           string        `json:"id"`
	Message      string        `json:"message"`
	State        store.State   `json:"state" enum:"queued,unverified,sending,held,sent,failed,expired,cancelled"`
	Connection   ConnectionRef `json:"connection"`
	Lane         string        `json:"lane" doc:"What shares the limits of one mailbox"`
	Recipients   []Recipient   `json:"recipients"`
	Attempts     int           `json:"attempts"`
	NextAt       time.Time     `json:"next_at,omitzero" doc:"Of the next attempt"`
	CreatedAt    time.Time     `json:"created_at"`
	ExpiresAt    time.Time     `json:"expires_at" doc:"When it is given up"`
	FinishedAt   time.Time     `json:"finished_at,omitzero"`
	Duplicate    bool          `json:"possible_duplicate,omitempty" doc:"It may have gone out twice"`
	UnknownSince time.Time     `json:"unknown_since,omitzero" doc:"It may have been sent: since then the outcome of an attempt is open"`
	NoRoomSince  time.Time     `json:"no_room_since,omitzero" doc:"Its mailbox has no room for so many recipients; others pass it"`
	GivesWay     time.Time     `json:"gives_way_until,omitzero" doc:"Until then others pass it; after that they wait for it"`
	NotifyFailed bool          `json:"notify_failed,omitempty" doc:"The sender should have been notified and could not be: the log says why"`
	Error        *Error        `json:"error,omitempty" doc:"Of the last attempt"`
}

// A Recipient is where one recipient of a delivery stands.
type Recipient struct {
	Address string    `json:"address"`
	State   string    `json:"state" enum:"pending,sent,failed,cancelled"`
	Error   *Error    `json:"error,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// OfDelivery returns the view of a delivery over the connection c.
func OfDelivery(d *store.Delivery, c ConnectionRef, lang string) Delivery {
	v := Delivery{
		ID: d.ID.String(), Message: d.Message.String(), State: d.State, Connection: c, Lane: d.Route.Lane, Recipients: []Recipient{},
		Attempts: d.Attempts, NextAt: d.NextAt, CreatedAt: d.CreatedAt, ExpiresAt: d.ExpiresAt, FinishedAt: d.FinishedAt,
		Duplicate: d.Duplicate, UnknownSince: d.UnknownSince, NotifyFailed: d.NotifyFailed, Error: OfError(d.Error, lang),
	}
	if v.GivesWay = d.GivesWayUntil(); !v.GivesWay.IsZero() {
		v.NoRoomSince = d.NoRoomSince
	}
	for _, r := range d.Recipients {
		v.Recipients = append(v.Recipients, Recipient{Address: r.Address.String(), State: string(r.State), Error: OfError(r.Error,
			lang), At: r.At})
	}
	return v
}

// An Error is a failure of a provider.
type Error struct {
	Class        string `json:"class" doc:"permanent, transient, throttled, auth or unknown"`
	Code         string `json:"code,omitempty" doc:"The cause, the same for all providers"`
	ProviderCode string `json:"provider_code,omitempty" doc:"What the provider calls it, such as ErrorSendAsDenied or 554 5.2.252"`
	Status       int    `json:"status,omitempty" doc:"HTTP status or SMTP reply code"`
	Enhanced     string `json:"enhanced,omitempty" doc:"RFC 3463"`
	Message      string `json:"message" doc:"What happened"`
	Hint         string `json:"hint,omitempty" doc:"What to do about it"`
	RequestID    string `json:"request_id,omitempty"`
	RetryAfter   int    `json:"retry_after_seconds,omitempty" doc:"How long the provider asked to wait"`
}

// OfError returns the view of a failure; nil for nil.
func OfError(e *adapters.Error, lang string) *Error {
	if e == nil {
		return nil
	}
	return &Error{
		Class: string(e.Class), Code: string(e.Code), ProviderCode: e.ProviderCode, Status: e.Status, Enhanced: e.Enhanced,
		Message: e.Message.In(lang), Hint: e.Hint.In(lang),
		RequestID: e.RequestID, RetryAfter: int(e.RetryAfter.Seconds()),
	}
}

// An Attempt is one line of the ledger.
type Attempt struct {
	Delivery   string     `json:"delivery"`
	No         int        `json:"no"`
	Kind       store.Kind `json:"kind" enum:"send,verify,move" doc:"move: an administrator gave it another connection"`
	Connection string     `json:"connection"`
	Lane       string     `json:"lane"`
	Node       string     `json:"node"`
	StartedAt  time.Time  `json:"started_at"`
	EndedAt    time.Time  `json:"ended_at,omitzero" doc:"Absent while it runs"`
	Recipients int        `json:"recipients" doc:"How many were asked for"`
	Outcome    string     `json:"outcome,omitempty" doc:"accepted, permanent, transient, throttled, auth or unknown"`
	Verdict    string     `json:"verdict,omitempty" doc:"Of a verification"`
	Error      *Error     `json:"error,omitempty"`
	Receipt    *Receipt   `json:"receipt,omitempty"`

	Conversation string `json:"conversation,omitempty" doc:"What was said with the provider, a line each, without secrets; at most 8 KB"`
}

// A Receipt is the evidence of an acceptance.
type Receipt struct {
	Route      string    `json:"route" doc:"mime, upload-session, multipart, resumable or smtp"`
	Status     int       `json:"status"`
	MessageID  string    `json:"message_id,omitempty"`
	ProviderID string    `json:"provider_id,omitempty"`
	RequestID  string    `json:"request_id,omitempty"`
	Reply      string    `json:"reply,omitempty" doc:"Of an SMTP server"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256,omitempty"`
	At         time.Time `json:"at"`
	Lost       []string  `json:"lost,omitempty" doc:"What the provider's path for large messages could not keep"`
}

// OfAttempt returns the view of an attempt.
func OfAttempt(a *store.Attempt, lang string) Attempt {
	v := Attempt{
		Delivery: a.Delivery.String(), No: a.No, Kind: a.Kind, Connection: a.Connection, Lane: a.Lane, Node: a.Node, StartedAt: a.StartedAt,
		EndedAt: a.EndedAt, Recipients: a.Recipients, Outcome: string(a.Class), Verdict: string(a.Verdict), Error: OfError(a.Error, lang),
		Conversation: a.Conversation,
	}
	if a.Receipt != nil {
		v.Receipt = OfReceipt(a.Receipt)
	}
	return v
}

// OfReceipt returns the view of a receipt.
func OfReceipt(r *adapters.Receipt) *Receipt {
	return &Receipt{
		Route: r.Route, Status: r.Status, MessageID: r.MessageID, ProviderID: r.ProviderID, RequestID: r.RequestID,
		Reply: r.Reply, Bytes: r.Bytes, SHA256: r.SHA256, At: r.At, Lost: r.Lost,
	}
}
