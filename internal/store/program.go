package store

import (
	"context"
	"time"
)

// A Program is one program or device that submits, known by how it does it.
type Program struct {
	ID         string    `json:"id"`
	Revision   int64     `json:"revision"`
	Client     string    `json:"client,omitempty"` // id; empty: it needs none
	Digest     string    `json:"digest"`           // of what it is known by: all fields down to IDForm
	EntryPoint string    `json:"entry_point"`      // smtp, api, sendmail, pickup
	Address    string    `json:"address,omitempty"`
	Hello      string    `json:"hello,omitempty"`   // name in EHLO or HELO
	Auth       string    `json:"auth,omitempty"`    // SASL mechanism; empty: none
	TLS        string    `json:"tls,omitempty"`     // version; empty: none
	Agent      string    `json:"agent,omitempty"`   // X-Mailer or User-Agent of its messages, or of its requests
	IDForm     string    `json:"id_form,omitempty"` // of the Message-IDs that it makes; empty: it makes none
	From       string    `json:"from"`              // of its last message
	Connection string    `json:"connection"`        // id of the one that its last message was given to
	Messages   int64     `json:"messages"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
}

// Programs is the port on the programs that submit.
type Programs interface {
	// Programs returns those of a client, of all when client is empty, the one
	// that submitted last first.
	Programs(ctx context.Context, client string) ([]Program, error)
	// SawPrograms adds what was seen to what is known: of one with the same client
	// and Digest Messages are added, FirstAt is the earlier, and From, Connection
	// and LastAt are those of the later. Of each client at most most are kept: those
	// that submitted last. All in one transaction.
	SawPrograms(ctx context.Context, seen []Program, most int) error
}
