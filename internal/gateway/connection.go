// Package gateway is the gateway's view of a connection: what it needs to send, and what routing, queueing and its owner need.
package gateway

import (
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A Connection is a connection that the gateway keeps. Its JSON is one flat
// object. Treated as immutable once it has been handed to others.
type Connection struct {
	adapters.Connection
	Policy
}

// A Policy is what the gateway adds to what a sender needs.
type Policy struct {
	Revision        int64       `json:"revision,omitempty"` // grows with every edit
	Active          *bool       `json:"active,omitempty"`   // absent means true
	Default         DefaultMode `json:"default,omitempty"`
	Class           string      `json:"class,omitempty"`    // "any" (or empty), "transactional", "bulk"
	Fallback        []string    `json:"fallback,omitempty"` // names of connections, in order
	Owner           string      `json:"owner,omitempty"`
	Retry           *Retry      `json:"retry,omitempty"`
	OnQuotaExceeded string      `json:"on_quota_exceeded,omitempty"` // "wait" (or empty) or "fallback": the daily budget is used up
	SecretExpires   string      `json:"secret_expires,omitempty"`    // date (2027-03-31) on which its secret ends; empty: not known
}

// A DefaultMode says whether a connection is the default one.
type DefaultMode string

// The default modes; empty means "no".
const (
	DefaultNo       DefaultMode = "no"
	DefaultUnrouted DefaultMode = "unrouted"
	DefaultAlways   DefaultMode = "always"
)

// Retry is a connection's own schedule; 0 takes the gateway's default.
type Retry struct {
	FirstSeconds int `json:"first_seconds,omitempty"` // after the first failure, then doubling
	MaxSeconds   int `json:"max_seconds,omitempty"`
	GiveUpHours  int `json:"give_up_hours,omitempty"` // 72
}

// IsActive reports whether the connection may be used.
func (p *Policy) IsActive() bool { return p.Active == nil || *p.Active }

// IsDefault reports whether it is the default one, in whichever mode.
func (p *Policy) IsDefault() bool { return p.Default != "" && p.Default != DefaultNo }

// SecretEnds is the moment from which the secret is of no use, as it was
// entered: the begin (UTC) of the day of SecretExpires, because not everyone
// means the end of it.
func (p *Policy) SecretEnds() (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, p.SecretExpires)
	return t, err == nil
}

// OwnAddress is an address that the connection may send as by itself: its From,
// or its mailbox; empty: it has none.
func (c *Connection) OwnAddress() string {
	own := []string{c.From, c.Mailbox("")}
	if _, pattern := c.FromPattern(); pattern {
		own = own[1:]
	}
	for _, a := range own {
		if _, err := mime.NormalizeAddress(a); a != "" && err == nil {
			return a
		}
	}
	return ""
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
