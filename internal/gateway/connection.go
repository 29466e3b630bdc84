// Package gateway is the gateway's view of a connection: what it needs to send, and what routing, queueing and its owner need.
package gateway

import (
	"slices"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway/policy"
	"github.com/postino-mail/postino/mime"
)

// A Connection is a connection that the gateway keeps. Its JSON is one flat
// object. Treated as immutable once it has been handed to others.
type Connection struct {
	adapters.Connection
	Policy
}

type (
	// Policy is what the gateway adds to what a sender needs.
	Policy = policy.Policy
	// DefaultMode says whether a connection is the default one.
	DefaultMode = policy.DefaultMode
	// Retry is a connection's own schedule.
	Retry = policy.Retry
)

// The default modes; empty means "no".
const (
	DefaultNo       = policy.DefaultNo
	DefaultUnrouted = policy.DefaultUnrouted
	DefaultAlways   = policy.DefaultAlways
)

// OwnAddress is an address that the connection may send as by itself: its From,
// or its mailbox; none where it has none.
func (c *Connection) OwnAddress() mime.Mailbox {
	if m := c.FromMailbox(); !m.IsZero() {
		return m
	}
	m, err := mime.ParseMailbox(c.Mailbox(mime.Mailbox{}))
	if err != nil { // none, or a name that is no address
		return mime.Mailbox{}
	}
	return m
}

// Clone returns a deep copy.
func (c *Connection) Clone() *Connection {
	d := &Connection{Connection: *c.Connection.Clone(), Policy: c.Policy}
	d.Fallback = slices.Clone(c.Fallback)
	if c.Active != nil {
		active := *c.Active
		d.Active = &active
	}
	if c.Retry != nil {
		retry := *c.Retry
		d.Retry = &retry
	}
	return d
}
