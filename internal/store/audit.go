package store

import (
	"context"
	"time"
)

// Kinds of actors.
const (
	ActorPerson  = "person"  // signed in, or by an API key of theirs
	ActorKey     = "key"     // an API key of a program
	ActorClient  = "client"  // a client with its secret or its key
	ActorUser    = "user"    // a user of the machine, by the unix socket or the command line
	ActorGateway = "gateway" // postino itself
)

// Ways by which a change comes.
const (
	ViaPage    = "page"
	ViaAPI     = "api"
	ViaCommand = "command"
)

// An Actor is who makes a change, as the audit trail names them.
type Actor struct {
	Kind    string `json:"kind"`
	ID      string `json:"id,omitempty"`   // of the person, key or client; the user id of a user
	Name    string `json:"name,omitempty"` // address of the person, name of the others
	Person  string `json:"person,omitempty"`
	Key     string `json:"key,omitempty"`     // id of the API key of a person
	Via     string `json:"via,omitempty"`     // page, api, command
	Address string `json:"address,omitempty"` // IP address; empty: this machine
	Program string `json:"program,omitempty"` // User-Agent, or the command

	At time.Time `json:"-"` // of the change; zero: now
}

type actorKey struct{}

// WithActor names who makes the changes that are made with the context. What the
// store changes for them it writes down in the audit trail.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who makes changes with the context; without one it is the
// gateway itself.
func ActorOf(ctx context.Context) Actor {
	a, ok := ctx.Value(actorKey{}).(Actor)
	if !ok || a.Kind == "" {
		return Actor{Kind: ActorGateway}
	}
	return a
}

// Actions of the audit trail; those on the queue are the Verbs and AuditResend.
const (
	AuditAdded   = "added"
	AuditChanged = "changed"
	AuditRemoved = "removed"
	AuditUsed    = "used" // an invitation
	AuditResend  = "resend"
	AuditMoved   = "move" // deliveries to another connection
	AuditPaused  = "paused"
	AuditResumed = "resumed"
	AuditExport  = "exported"
)

// Kinds of objects of the audit trail.
const (
	KindConnection = "connection"
	KindClient     = "client"
	KindKey        = "key"
	KindPerson     = "person"
	KindSession    = "session"
	KindInvitation = "invitation"
	KindWebhook    = "webhook"
	KindQueue      = "queue" // deliveries
	KindLane       = "lane"
	KindSetting    = "setting"
	KindAudit      = "audit" // the trail itself
)

// AuditKinds are all kinds of objects.
func AuditKinds() []string {
	return []string{KindConnection, KindClient, KindKey, KindPerson, KindSession, KindInvitation, KindWebhook, KindQueue, KindLane,
		KindSetting, KindAudit}
}

// An AuditEntry is one change. Entries are never changed, and removed by their
// retention alone.
type AuditEntry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Actor   Actor     `json:"actor"`
	Action  string    `json:"action"`
	Kind    string    `json:"kind"`
	Object  string    `json:"object,omitempty"` // id
	Name    string    `json:"name,omitempty"`   // of the object
	Changes []Change  `json:"changes,omitempty"`
	Count   int       `json:"count,omitempty"`   // deliveries changed
	Skipped int       `json:"skipped,omitempty"` // deliveries in a state that did not allow it
}

// An AuditFilter chooses entries; zero fields choose all.
type AuditFilter struct {
	Since, Before time.Time
	Person        string // id: of the person and of their keys
	Actor         string // id of the person, key, client or user
	Kind          string
	Object        string // id
	// Of, where set, are the entries that concern a person: what they did
	// themselves, and what was done with these objects.
	Of *AuditScope
}

// An AuditScope is what of the trail concerns a person.
type AuditScope struct {
	Person  string   // id
	Objects []string // ids of what is theirs
}

// ExportEntry is the entry for an export of count records of a kind, written in a
// format (empty: it is not named); what says by what they were chosen.
func ExportEntry(kind string, count int, format string, what ...Change) AuditEntry {
	if format != "" {
		what = append([]Change{{Field: "format", After: format}}, what...)
	}
	return AuditEntry{Action: AuditExport, Kind: kind, Count: count, Changes: what}
}

// An AuditRequest asks for one page, the newest entries first.
type AuditRequest struct {
	AuditFilter
	After int64 // AuditPage.Next of the page before; 0: from the newest
	Limit int   // at most 1,000; 0: 50
}

// An AuditPage is one page; Next is 0 on the last one.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	Next    int64        `json:"next,omitempty"`
}

// Audit is the port on the audit trail. Entries are written by the calls that
// change something, in the same transaction: a change does not
// happen when its entry cannot be written.
type Audit interface {
	// AppendAudit enters what someone did without changing anything, such as an
	// export: Action, Kind, Object, Name, Changes, Count. Actor and At are set here.
	AppendAudit(ctx context.Context, e AuditEntry) error
	AuditEntries(ctx context.Context, r AuditRequest) (AuditPage, error)
	// PurgeAudit removes at most so many entries older than before, and returns how
	// many it removed.
	PurgeAudit(ctx context.Context, before time.Time, most int) (removed int, err error)
}

// AuditChosen names what a filter of the trail chose by, for the trail itself.
func AuditChosen(f *AuditFilter) []Change {
	var c chosen
	c.text("person", f.Person)
	c.text("actor", f.Actor)
	c.text("kind", f.Kind)
	c.text("object", f.Object)
	c.time("since", f.Since)
	c.time("before", f.Before)
	return c
}

// Chosen names what a filter of deliveries chose by, for the audit trail.
func Chosen(f *Filter) []Change {
	var c chosen
	for _, s := range f.States {
		c.text("state", s.String())
	}
	c.text("connection", f.Connection)
	c.text("lane", f.Lane)
	c.text("client", f.Client)
	c.text("message_id", f.MessageID)
	c.text("from", f.From)
	c.text("recipient", f.Recipient)
	c.text("tag", f.Tag)
	for _, m := range f.Match {
		c.text(m.Part.String(), m.String())
	}
	c.text("id", f.ID.String())
	c.time("since", f.Since)
	c.time("before", f.Before)
	return c
}

// chosen collects what a filter chose by.
type chosen []Change

// text adds a field, unless it is empty.
func (c *chosen) text(field, v string) {
	if v != "" {
		*c = append(*c, Change{Field: "filter." + field, After: v})
	}
}

func (c *chosen) time(field string, at time.Time) {
	if !at.IsZero() {
		c.text(field, at.UTC().Format(time.RFC3339))
	}
}
