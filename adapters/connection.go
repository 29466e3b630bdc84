package adapters

import (
	"slices"
	"strings"
)

// A Provider is the kind of a connection.
type Provider string

// The providers that this module sends through.
const (
	Graph Provider = "graph"
	Gmail Provider = "gmail"
	SMTP  Provider = "smtp"
)

// A Connection is a named way out. Its JSON is one object, in which the settings
// stand under the provider's name: Decode reads it. Treated as immutable once it
// has been handed to a Router.
type Connection struct {
	ID          string        `json:"id,omitempty"`
	Name        string        `json:"name"`
	Provider    Provider      `json:"provider"`
	From        string        `json:"from"` // an address, or "*@domain": any sender of the domain
	DisplayName string        `json:"display_name,omitempty"`
	ReplyTo     string        `json:"reply_to,omitempty"`
	Aliases     []string      `json:"aliases,omitempty"` // further senders that the mailbox may use: addresses or "*@domain"
	OnUnknown   UnknownPolicy `json:"on_unknown,omitempty"`
	Limits      Limits        `json:"limits,omitzero"`
	Settings    Settings      `json:"-"` // such as *graph.Settings; fits Provider
}

// An UnknownPolicy says what happens to an unknown outcome that cannot be verified.
type UnknownPolicy string

// The policies: verify asks the provider and then behaves as hold when it
// cannot tell; retry asks too, where the provider can be asked, and else sends
// again, marked as possible duplicate; hold waits for a person.
const (
	UnknownVerify UnknownPolicy = "verify"
	UnknownRetry  UnknownPolicy = "retry"
	UnknownHold   UnknownPolicy = "hold"
)

// Limits of a lane. nil takes the provider's default, 0 means none.
type Limits struct {
	Concurrency      *int `json:"concurrency,omitempty"`
	PerMinute        *int `json:"per_minute,omitempty"`
	RecipientsPerDay *int `json:"recipients_per_day,omitempty"`
}

// EffectiveOnUnknown is OnUnknown, or what the provider's settings say.
func (c *Connection) EffectiveOnUnknown() UnknownPolicy {
	if c.OnUnknown != "" {
		return c.OnUnknown
	}
	return c.settings().OnUnknown()
}

// FromPattern reports whether From is "*@domain", and returns the domain.
func (c *Connection) FromPattern() (domain string, ok bool) { return strings.CutPrefix(c.From, "*@") }

// Clone is a deep copy.
func (c *Connection) Clone() *Connection {
	d := *c
	d.Aliases = slices.Clone(c.Aliases)
	d.Limits = Limits{clonePtr(c.Limits.Concurrency), clonePtr(c.Limits.PerMinute), clonePtr(c.Limits.RecipientsPerDay)}
	if c.Settings != nil {
		d.Settings = c.Settings.Clone()
	}
	return &d
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
