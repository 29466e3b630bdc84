// Package policy has what the gateway keeps of a connection besides what a sender needs, by its names in JSON.
package policy

import (
	"encoding/json"
	"time"
)

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

// A Document is a Policy with the name that a field had before, which is read for ever.
type Document struct {
	Policy
	WhenSpent string `json:"when_spent,omitempty"` // on_quota_exceeded before
}

// A Shown is a Document that was shown: what a view adds to the settings
// (internal/view) is read over, so that it can be given back.
type Shown struct {
	Document
	State json.RawMessage `json:"state"`
	Lane  json.RawMessage `json:"lane"`
}
