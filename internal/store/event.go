package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postino-mail/postino/mime"
)

// EventTypes are the types of events that there are.
func EventTypes() []string {
	return []string{"message.accepted", "message.resubmitted", "delivery.sent", "delivery.deferred", "delivery.held", "delivery.failed",
		"delivery.expired", "delivery.cancelled", "delivery.moved", "notification.failed", "alert.raised", "alert.resolved"}
}

// A NewEvent is something that happened, for webhooks and event streams.
type NewEvent struct {
	Type     string // such as "message.accepted", "delivery.sent"
	At       time.Time
	Client   string // id; who may see it
	Message  ID
	Delivery ID
	Data     json.RawMessage
}

// An Event is a stored NewEvent.
type Event struct {
	Seq      int64           `json:"seq"`
	Type     string          `json:"type"`
	At       time.Time       `json:"at"`
	Client   string          `json:"client,omitempty"`
	Message  ID              `json:"message,omitzero"`
	Delivery ID              `json:"delivery,omitzero"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// A Webhook is an address that is told of events.
type Webhook struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	Client   string `json:"client,omitempty"` // id: only its events; empty: all
	// Person is the id of the operator of the webhook: it gets the events of
	// the connections that they own. Client is the same id then, which no event
	// has, so that a node that does not know of Person sends nothing.
	Person    string    `json:"person,omitempty"`
	URL       string    `json:"url"`
	Types     []string  `json:"types,omitempty"` // empty: all
	Secret    []byte    `json:"secret"`          // sealed (Sealer, owner is ID, path "secret")
	Active    bool      `json:"active"`
	Cursor    int64     `json:"cursor"` // Seq of the last event that it took
	Failures  int       `json:"failures,omitempty"`
	NextAt    time.Time `json:"next_at,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	CreatedAt time.Time `json:"created_at"`

	Recent []WebhookCall `json:"recent,omitempty"` // the last WebhookCallsKept, the oldest first
}

// WebhookCallsKept is how many calls are kept with a webhook.
const WebhookCallsKept = 20

// A WebhookCall is one call of a webhook's receiver.
type WebhookCall struct {
	ID      string        `json:"id"`            // as the receiver got it: webhook-id
	Seq     int64         `json:"seq,omitempty"` // of the event; 0: a test
	Type    string        `json:"type"`
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took"`
	Status  int           `json:"status,omitempty"` // 0: no answer
	Problem mime.Text     `json:"problem,omitzero"` // none: it was confirmed
}

// OK reports that the receiver confirmed.
func (c *WebhookCall) OK() bool { return c.Problem.IsZero() }

// Events is the port on events. They are appended by Submission and Transition, in
// the same transaction as what they tell of, and by AppendEvents.
type Events interface {
	AppendEvents(ctx context.Context, ev ...NewEvent) error
	// Events returns those after seq in order, at most limit; client and types
	// choose, empty ones all. A reader that goes on from the last Seq it saw
	// misses nothing: no event becomes visible with a Seq below one that was
	// visible before.
	Events(ctx context.Context, after int64, limit int, client string, types []string) ([]Event, error)
	// EventsAmong returns as Events does those of deliveries by one of the
	// connections, and of messages with one. through is the Seq up to which it has
	// looked: a reader goes on from there, though there may be no event.
	EventsAmong(ctx context.Context, connections []string, after int64, limit int, types []string) (out []Event, through int64, err error)
	// LastEvent is the highest Seq, 0 when there was never one.
	LastEvent(ctx context.Context) (int64, error)

	Webhook(ctx context.Context, id string) (*Webhook, error)
	Webhooks(ctx context.Context) ([]Webhook, error)
	// PutWebhook and DeleteWebhook work as those of Clients.
	PutWebhook(ctx context.Context, w Webhook) (*Webhook, error)
	DeleteWebhook(ctx context.Context, id string) error
}

// Settings keeps small values by name: the node's id, what was shown once, the
// marks of housekeeping.
type Settings interface {
	// Setting returns ErrNotFound for a name never set.
	Setting(ctx context.Context, name string) (string, error)
	SetSetting(ctx context.Context, name, value string) error
	// SettingOrSet stores value when the name was never set, and returns what
	// is stored then: of many callers all get the same.
	SettingOrSet(ctx context.Context, name, value string) (string, error)
}
