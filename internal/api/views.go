package api

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// A MessageView is what is known of a message besides its bytes.
type MessageView struct {
	ID           string    `json:"id"`
	MessageID    string    `json:"message_id"`
	Subject      string    `json:"subject"`
	From         string    `json:"from"`
	OriginalFrom string    `json:"original_from,omitempty" doc:"Before the default connection replaced it"`
	EnvelopeFrom string    `json:"envelope_from"`
	Recipients   []string  `json:"recipients" doc:"Envelope recipients"`
	Size         int64     `json:"size"`
	BodySHA256   string    `json:"body_sha256,omitempty"`
	Kept         bool      `json:"kept" doc:"False once retention removed the bytes"`
	Client       string    `json:"client,omitempty" doc:"Id of the client"`
	Door         string    `json:"door" enum:"smtp,api,sendmail,pickup,go,postino"`
	Class        string    `json:"class,omitempty"`
	Tag          string    `json:"tag,omitempty"`
	Notification bool      `json:"notification,omitempty" doc:"Made by postino itself to tell a sender"`
	ReceivedAt   time.Time `json:"received_at"`
	SendAt       time.Time `json:"send_at,omitzero" doc:"Scheduled sending"`
	ResentOf     string    `json:"resent_of,omitempty" doc:"Id of the message that was sent once more as this one, under a new Message-ID"`
	Resubmitted  int       `json:"resubmitted,omitempty" doc:"How often its client sent it again because it had not heard the answer"`
}

// A DeliveryView is one message on its way out.
type DeliveryView struct {
	ID         string          `json:"id"`
	Message    string          `json:"message"`
	State      store.State     `json:"state" enum:"queued,unverified,sending,held,sent,failed,expired,cancelled"`
	Connection ConnectionRef   `json:"connection"`
	Lane       string          `json:"lane" doc:"What shares the limits of one mailbox"`
	Recipients []RecipientView `json:"recipients"`
	Attempts   int             `json:"attempts"`
	NextAt     time.Time       `json:"next_at,omitzero" doc:"Of the next attempt"`
	CreatedAt  time.Time       `json:"created_at"`
	ExpiresAt  time.Time       `json:"expires_at" doc:"When it is given up"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
	Duplicate  bool            `json:"possible_duplicate,omitempty" doc:"It may have gone out twice"`
	NotTold    bool            `json:"not_told,omitempty" doc:"The sender should have been told something of it and could not be: the log says why"`
	Error      *ErrorView      `json:"error,omitempty" doc:"Of the last attempt"`
}

// A RecipientView is where one recipient stands.
type RecipientView struct {
	Address string     `json:"address"`
	State   string     `json:"state" enum:"pending,sent,failed,cancelled"`
	Error   *ErrorView `json:"error,omitempty"`
	At      time.Time  `json:"at,omitzero"`
}

// An ErrorView is a failure of a provider, in the caller's language.
type ErrorView struct {
	Class      string `json:"class" doc:"permanent, transient, throttled, auth or unknown"`
	Code       string `json:"code,omitempty" doc:"As the provider names it"`
	Status     int    `json:"status,omitempty" doc:"HTTP status or SMTP reply code"`
	Enhanced   string `json:"enhanced,omitempty" doc:"RFC 3463"`
	Sentence   string `json:"sentence"`
	Remedy     string `json:"remedy,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty" doc:"Seconds"`
}

// An AttemptView is one line of the ledger.
type AttemptView struct {
	Delivery   string       `json:"delivery"`
	No         int          `json:"no"`
	Kind       store.Kind   `json:"kind" enum:"send,verify"`
	Connection string       `json:"connection"`
	Lane       string       `json:"lane"`
	Node       string       `json:"node"`
	StartedAt  time.Time    `json:"started_at"`
	EndedAt    time.Time    `json:"ended_at,omitzero" doc:"Absent while it runs"`
	Recipients int          `json:"recipients" doc:"How many were asked for"`
	Outcome    string       `json:"outcome,omitempty" doc:"accepted, permanent, transient, throttled, auth or unknown"`
	Verdict    string       `json:"verdict,omitempty" doc:"Of a verification"`
	Error      *ErrorView   `json:"error,omitempty"`
	Receipt    *ReceiptView `json:"receipt,omitempty"`
}

// A ReceiptView is the evidence of an acceptance.
type ReceiptView struct {
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

func viewMessage(m *store.Message) MessageView {
	v := MessageView{ID: m.ID.String(), MessageID: m.MessageID, Subject: m.Subject, From: m.From, OriginalFrom: m.OriginalFrom, EnvelopeFrom: m.Envelope.From, Recipients: []string{},
		Size: m.Size, BodySHA256: hex.EncodeToString(m.BodySHA256), Kept: m.BodyKept, Client: m.Client, Door: m.Door, Class: m.Class, Tag: m.Tag, Notification: m.Notification,
		ReceivedAt: m.ReceivedAt, SendAt: m.NotBefore, ResentOf: m.ResentOf.String(), Resubmitted: m.Resubmitted}
	for _, r := range m.Envelope.Recipients {
		v.Recipients = append(v.Recipients, r.Address)
	}
	return v
}

func viewDelivery(d *store.Delivery, c ConnectionRef, lang string) DeliveryView {
	v := DeliveryView{ID: d.ID.String(), Message: d.Message.String(), State: d.State, Connection: c, Lane: d.Route.Lane, Recipients: []RecipientView{}, Attempts: d.Attempts,
		NextAt: d.NextAt, CreatedAt: d.CreatedAt, ExpiresAt: d.ExpiresAt, FinishedAt: d.FinishedAt, Duplicate: d.Duplicate, NotTold: d.NotTold, Error: viewError(d.Error, lang)}
	for _, r := range d.Recipients {
		v.Recipients = append(v.Recipients, RecipientView{Address: r.Address, State: string(r.State), Error: viewError(r.Error, lang), At: r.At})
	}
	return v
}

func viewError(e *adapters.Error, lang string) *ErrorView {
	if e == nil {
		return nil
	}
	return &ErrorView{Class: string(e.Class), Code: e.Code, Status: e.Status, Enhanced: e.Enhanced, Sentence: e.Sentence.In(lang), Remedy: e.Remedy.In(lang),
		RequestID: e.RequestID, RetryAfter: int(e.RetryAfter.Seconds())}
}

func viewAttempt(a *store.Attempt, lang string) AttemptView {
	v := AttemptView{Delivery: a.Delivery.String(), No: a.No, Kind: a.Kind, Connection: a.Connection, Lane: a.Lane, Node: a.Node, StartedAt: a.StartedAt, EndedAt: a.EndedAt,
		Recipients: a.Recipients, Outcome: string(a.Class), Verdict: string(a.Verdict), Error: viewError(a.Error, lang)}
	if r := a.Receipt; r != nil {
		v.Receipt = &ReceiptView{Route: r.Route, Status: r.Status, MessageID: r.MessageID, ProviderID: r.ProviderID, RequestID: r.RequestID, Reply: r.Reply, Bytes: r.Bytes, SHA256: r.SHA256, At: r.At, Lost: r.Lost}
	}
	return v
}

func marshal(v any) ([]byte, error) { return json.Marshal(v) }
