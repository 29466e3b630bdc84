package view

import (
	"encoding/hex"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
)

// Metadata are a client's own pairs.
type Metadata = store.Metadata

// A Message is what is known of a message besides its bytes.
type Message struct {
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
	EntryPoint   string    `json:"entry_point" enum:"smtp,api,sendmail,pickup,go,postino" doc:"Where it came in"`
	Class        string    `json:"class,omitempty"`
	Tag          string    `json:"tag,omitempty"`
	Metadata     Metadata  `json:"metadata,omitempty" doc:"As it was submitted"`
	Notification bool      `json:"notification,omitempty" doc:"Made by postino itself to notify a sender"`
	ReceivedAt   time.Time `json:"received_at"`
	SendAt       time.Time `json:"send_at,omitzero" doc:"Scheduled sending"`
	ResentOf     string    `json:"resent_of,omitempty" doc:"Id of the message that was sent once more as this one, under a new Message-ID"`
	Routed       *Routed   `json:"routed,omitempty" doc:"Why it took its first connection; absent for what was stored before this was noted"`
	Resubmitted  int       `json:"resubmitted,omitempty" doc:"How often its client sent it again because it had not received the answer"`
}

// OfMessage returns the view of a message.
func OfMessage(m *store.Message, lang string) Message {
	v := Message{
		ID: m.ID.String(), MessageID: m.MessageID, Subject: m.Subject, From: m.From.String(), OriginalFrom: m.OriginalFrom.String(),
		EnvelopeFrom: m.Envelope.From.String(), Recipients: []string{}, Size: m.Size, BodySHA256: hex.EncodeToString(m.BodySHA256),
		Kept: m.BodyKept, Client: m.Client, EntryPoint: m.EntryPoint, Class: m.Class, Tag: m.Tag, Metadata: m.Metadata,
		Notification: m.Notification,
		ReceivedAt:   m.ReceivedAt, SendAt: m.NotBefore, ResentOf: m.ResentOf.String(), Resubmitted: m.Resubmitted,
	}
	if m.Routed.Rule != "" {
		v.Routed = &Routed{Connection: m.Routed.Connection, Rule: m.Routed.Rule, Reason: submit.RuleCalled(m.Routed.Rule).Text().In(lang)}
	}
	for _, r := range m.Envelope.Recipients {
		v.Recipients = append(v.Recipients, r.Address.String())
	}
	return v
}

// A Routed is the choice of a connection when a message came in.
type Routed struct {
	Connection string `json:"connection" doc:"Id of the connection that was chosen"`
	Rule       string `json:"rule" enum:"always,named,class,address,domain,client,default" doc:"Of routing, that matched first"`
	Reason     string `json:"reason" doc:"The rule in words"`
}

// A MessageEntry is one delivery with its message.
type MessageEntry struct {
	Message  Message  `json:"message"`
	Delivery Delivery `json:"delivery"`
}
