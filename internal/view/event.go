package view

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// An Event is something that happened.
type Event struct {
	Seq      int64           `json:"seq" doc:"Grows with every event; go on after the last one seen"`
	Type     string          `json:"type" example:"delivery.sent"`
	At       time.Time       `json:"at"`
	Client   string          `json:"client,omitempty"`
	Message  string          `json:"message,omitempty"`
	Delivery string          `json:"delivery,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// OfEvent returns the view of an event.
func OfEvent(e *store.Event) Event {
	return Event{
		Seq: e.Seq, Type: e.Type, At: e.At, Client: e.Client, Message: e.Message.String(), Delivery: e.Delivery.String(), Data: e.Data,
	}
}

// A Webhook is an address to which events are sent.
type Webhook struct {
	ID        string    `json:"id"`
	Client    string    `json:"client,omitempty" doc:"Only this client's events; absent: all"`
	Person    string    `json:"person,omitempty" doc:"Only the events of the connections that this person owns"`
	URL       string    `json:"url"`
	Types     []string  `json:"types,omitempty"`
	Active    bool      `json:"active" doc:"Becomes false after 40 failures in a row, and when the receiver answers 410"`
	Cursor    int64     `json:"cursor" doc:"seq of the last event that the receiver confirmed"`
	Failures  int       `json:"failures,omitempty" doc:"In a row"`
	NextAt    time.Time `json:"next_at,omitzero" doc:"Of the next try"`
	LastError string    `json:"last_error,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	Secret    string    `json:"secret,omitempty" doc:"Shown once: when it was made (Standard Webhooks)"`
}

// OfWebhook returns the view of a webhook. Secret is left for the one who has
// just made it.
func OfWebhook(h *store.Webhook) Webhook {
	client := h.Client
	if h.Person != "" {
		client = ""
	}
	return Webhook{
		ID: h.ID, Client: client, Person: h.Person, URL: h.URL, Types: h.Types, Active: h.Active, Cursor: h.Cursor, Failures: h.Failures,
		NextAt: h.NextAt, LastError: h.LastError, CreatedAt: h.CreatedAt,
	}
}

// A WebhookCall is one call of a webhook's receiver.
type WebhookCall struct {
	ID      string    `json:"id" doc:"As the receiver got it, in the header webhook-id"`
	Seq     int64     `json:"seq,omitempty" doc:"Of the event; absent: a test"`
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	MS      int64     `json:"ms" doc:"Until the answer, in milliseconds"`
	OK      bool      `json:"ok" doc:"The receiver confirmed"`
	Status  int       `json:"status,omitempty" doc:"Of the answer; absent: there was none"`
	Problem string    `json:"problem,omitempty"`
}

// OfWebhookCalls returns the view of a webhook's last calls, the newest first.
func OfWebhookCalls(h *store.Webhook, lang string) []WebhookCall {
	out := []WebhookCall{}
	for _, c := range slices.Backward(h.Recent) {
		out = append(out, OfWebhookCall(&c, lang))
	}
	return out
}

// OfWebhookCall returns the view of a call.
func OfWebhookCall(c *store.WebhookCall, lang string) WebhookCall {
	return WebhookCall{ID: c.ID, Seq: c.Seq, Type: c.Type, At: c.At, MS: c.Took.Milliseconds(), OK: c.OK(), Status: c.Status,
		Problem: c.Problem.In(lang)}
}
