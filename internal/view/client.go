package view

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// ClientSettings are what can be set of a client.
type ClientSettings struct {
	Name        string   `json:"name" minLength:"1" maxLength:"100" example:"erp" doc:"Its login; no spaces"`
	Networks    []string `json:"networks,omitempty" maxItems:"100" example:"[\"10.1.0.0/16\"]" doc:"Addresses that need no secret"`
	Senders     []string `json:"senders,omitempty" maxItems:"1000" doc:"Addresses or *@domain for From; absent: any that a connection allows"`
	Connections []string `json:"connections,omitempty" maxItems:"1000" doc:"Names or ids that it may use; absent: any"`
	Connection  string   `json:"connection,omitempty" maxLength:"200" doc:"Name or id of its own connection"`
	PerMinute   int      `json:"per_minute,omitempty" minimum:"0" doc:"Deliveries a minute, resend and retry included; 0: no limit"`
	Class       string   `json:"class,omitempty" enum:"transactional,bulk" doc:"Of its messages"`
	NotifyOff   bool     `json:"notify_off,omitempty" doc:"No notifications of failures to the sender"`
	Disabled    bool     `json:"disabled,omitempty"`

	// The same message again within this time, when the client had not received
	// the answer to the first one, is answered with the first one.
	ResubmitMinutes *int `json:"resubmit_minutes,omitempty" minimum:"0" maximum:"1440" doc:"Absent: 60, 0: never"`
}

// A Client is a client without its secret.
type Client struct {
	ID        string `json:"id"`
	Revision  int64  `json:"revision"`
	HasSecret bool   `json:"has_secret"`
	ClientSettings
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	Use
	Secret string `json:"secret,omitempty" doc:"Shown once: when it was made"`
}

// A Use is when a client was used and refused the last time.
type Use struct {
	LastUsedAt   time.Time `json:"last_used_at,omitzero" doc:"To the minute"`
	LastUsedFrom string    `json:"last_used_from,omitempty" doc:"Address; absent: this machine"`
	LastRefusal  *Refusal  `json:"last_refusal,omitempty" doc:"Absent: never refused"`
}

// A Refusal is what was refused the last time.
type Refusal struct {
	At         time.Time `json:"at"`
	From       string    `json:"from,omitempty" doc:"Address; absent: this machine"`
	EntryPoint string    `json:"entry_point"`
	Code       string    `json:"code"`
	Reason     string    `json:"reason,omitempty"`
}

// ofRefusal returns the view of the last refusal; nil: there was none.
func ofRefusal(u *store.Use, lang string) *Refusal {
	if u.RefusedAt.IsZero() {
		return nil
	}
	return &Refusal{At: u.RefusedAt, From: u.RefusedFrom, EntryPoint: u.RefusedBy, Code: u.Code, Reason: u.Reason.In(lang)}
}

// OfClient returns the view of a client. Secret is left for the one who has
// just made it.
func OfClient(c *store.Client) Client {
	v := Client{
		ID: c.ID, Revision: c.Revision, HasSecret: c.SecretHash != "", CreatedAt: c.CreatedAt, ChangedAt: c.ChangedAt,
		ClientSettings: ClientSettings{
			Name: c.Name, Senders: c.Senders, Connections: c.Connections, Connection: c.Connection, PerMinute: c.PerMinute,
			Class: c.Class, NotifyOff: c.NotifyOff, Disabled: c.Disabled, ResubmitMinutes: c.ResubmitMinutes,
		},
	}
	for _, n := range c.Networks {
		v.Networks = append(v.Networks, n.String())
	}
	return v
}

// OfUsedClient is OfClient with what uses say of it.
func OfUsedClient(c *store.Client, uses map[string]store.Use, lang string) Client {
	v, u := OfClient(c), uses[c.ID]
	v.Use = Use{LastUsedAt: u.UsedAt, LastUsedFrom: u.UsedFrom, LastRefusal: ofRefusal(&u, lang)}
	return v
}

// A Key is an API key without the key.
type Key struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Client      string    `json:"client,omitempty" doc:"Id of its client; absent: none, it sees all clients' records"`
	Person      string    `json:"person,omitempty" doc:"Id of the person of the key"`
	Scopes      []string  `json:"scopes" doc:"Of a person's key those that it is narrowed to; none: all that they may"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
	LastUsedAt  time.Time `json:"last_used_at,omitzero" doc:"To the minute"`
	LastRefusal *Refusal  `json:"last_refusal,omitempty" doc:"Absent: never refused"`
	Key         string    `json:"key,omitempty" doc:"Shown once: when it was made"`
}

// OfUsedKey is OfKey with what uses say of it.
func OfUsedKey(k *store.APIKey, uses map[string]store.Use, lang string) Key {
	v, u := OfKey(k), uses[k.ID]
	v.LastRefusal = ofRefusal(&u, lang)
	return v
}

// OfKey returns the view of an API key. Key is left for the one who has just
// made it.
func OfKey(k *store.APIKey) Key {
	scopes := k.Scopes
	if k.Person != "" {
		scopes = append([]string{}, k.PersonScopes...)
	}
	return Key{
		ID: k.ID, Name: k.Name, Client: k.Client, Person: k.Person, Scopes: scopes, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
		RevokedAt: k.RevokedAt, LastUsedAt: k.LastUsedAt,
	}
}
