package engine

import (
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// A Schema is what the databases name differently.
type Schema struct {
	// Delivery are the columns of a DeliveryRow, of deliveries d with Tables joined.
	Delivery, Tables string
	// Messages joins m where Tables does not.
	Messages string
	// Order is by which columns deliveries lie in the order of their making; Of
	// is the condition that they are of the message with the id %s.
	Order, Of string
	// OfMessage is the condition that a delivery d is of the message m, MessageSeq
	// the key of its row.
	OfMessage, MessageSeq string
	// Cursor is the column by which lists go, Mark and ParseMark its value as a
	// mark of a page.
	Cursor    string
	Mark      func(*DeliveryRow) string
	ParseMark func(string) (any, error)
	// NoMark is the mark before all rows, SeqAndID the keys of a delivery d.
	NoMark, SeqAndID string
	// Words is the index of words.
	Words WordIndex
	// Shared: several nodes may write. What was read is sure only with a commit.
	Shared bool
	// Content is the query for size, digest, whether the bytes are kept, head, body,
	// whether that is apart, where it begins there, and the sum of the head.
	Content string
	// Object is the aggregate function that makes a JSON object.
	Object string
	// PurgeLock is the query for whether this process alone purges; empty: it does.
	PurgeLock string
	// LastEvent is the query for the highest number of an event.
	LastEvent string
	// By has a table be read by an index, where the database lets one say so.
	By func(index string) string
	// ID is an id as an argument, To where a column with one is scanned to, and
	// Key and Text a text as an argument, that need not be UTF-8, and that is. nil,
	// all of them: as they are.
	ID        func(store.ID) any
	To        func(*store.ID) any
	Key, Text func(string) any
}

// Columns is where the columns of a delivery go.
func (s Schema) Columns(r *DeliveryRow) []any {
	d := &r.D
	return r.stateTo(append(make([]any, 0, rowSize), &r.Seq, &r.Msg, &r.Subqueue, &r.Lane, s.To(&d.ID), s.To(&d.Message), &d.Client,
		&d.Route.Connection, &d.Route.Lane))
}

// A MessageRow is a message as read, not decoded yet: that is left to the
// goroutine that asked.
type MessageRow struct {
	M                   store.Message
	received            int64
	messageID, tag, doc []byte
}

// MessageColumns are those of a MessageRow.
const MessageColumns = `m.id, m.client, m.received_at, m.size, m.sha256, m.kept, m.message_id, m.tag, m.resubmitted, m.doc`

// Columns adds to dst where MessageColumns go.
func (r *MessageRow) Columns(dst []any, id func(*store.ID) any) []any {
	m := &r.M
	return append(dst, id(&m.ID), &m.Client, &r.received, &m.Size, &m.BodySHA256, &m.BodyKept, &r.messageID, &r.tag, &m.Resubmitted, &r.doc)
}

// Decode fills in the message. False: its record is corrupt.
func (r *MessageRow) Decode() (*store.Message, bool) {
	m := &r.M
	m.ReceivedAt, m.MessageID, m.Tag = At(r.received), string(r.messageID), string(r.tag)
	return m, m.DecodeDoc(r.doc)
}

// A DeliveryRow is a delivery as read, with its keys.
type DeliveryRow struct {
	Seq, Msg       int64 // keys of its row and its message's, where ids are none
	Subqueue, Lane int64
	D              store.Delivery
	Corrupt        bool // its columns cannot be read: it must not be sent

	// What a driver that writes at the end of the transaction keeps: whether the
	// row is to be made or to be changed, and the key under which siblings join.
	Fresh, Dirty bool
	Join         string
	Was          int64 // the subqueue that it left in this transaction; 0: none

	state                                         int
	kind                                          string
	next, created, expires, warn, finished, since int64
	recipients, progress                          []byte
}

// rowSize is enough for the columns of a delivery and of its message.
const rowSize = 36

// DeliveryState are the columns of a delivery that change, where they go is stateTo.
const DeliveryState = `d.position, d.state, d.next_at, d.created_at, d.expires_at, d.warn_at, d.finished_at, d.attempts, d.epoch,
	d.node, d.kind, d.since, d.recipients, d.word`

// stateTo adds to dst where DeliveryState goes.
func (r *DeliveryRow) stateTo(dst []any) []any {
	d := &r.D
	return append(dst, &d.Route.Position, &r.state, &r.next, &r.created, &r.expires, &r.warn, &r.finished, &d.Attempts, &d.Epoch,
		&d.Node, &r.kind, &r.since, &r.recipients, &r.progress)
}

// Decode fills in the delivery.
func (r *DeliveryRow) Decode() *store.Delivery {
	d := &r.D
	d.State, d.Kind = store.State(r.state), store.Kind(r.kind)
	for _, t := range [...]struct {
		at *time.Time
		us int64
	}{{&d.NextAt, r.next}, {&d.CreatedAt, r.created}, {&d.ExpiresAt, r.expires}, {&d.WarnAt, r.warn}, {&d.FinishedAt, r.finished},
		{&d.Since, r.since}} {
		*t.at = At(t.us)
	}
	r.Corrupt = !d.DecodeColumns(r.recipients, r.progress)
	return d
}

// Encode returns the columns of recipients and progress. Recipients that are
// corrupt stay as they are.
func (r *DeliveryRow) Encode() (recipients, progress string, err error) {
	if recipients = string(r.recipients); !r.Corrupt {
		if recipients, err = store.EncodeRecipients(r.D.Recipients); err != nil {
			return "", "", err
		}
	}
	progress, err = store.EncodeProgress(r.D.Progress)
	return recipients, progress, err
}

// An AttemptRow is a line of the ledger, with the subqueue in which it was made.
type AttemptRow struct {
	Subqueue int64
	store.Attempt
}

// AttemptColumns are those of an AttemptRow, in AttemptTables.
const (
	AttemptColumns = `a.flow, a.no, a.kind, f.connection, l.key, a.node, a.epoch, a.started_at, a.recipients, a.outcome`
	AttemptTables  = ` FROM attempts a JOIN flows f ON f.id = a.flow JOIN lanes l ON l.id = f.lane`
)

// ScanAttempt reads AttemptColumns.
func ScanAttempt(sc Scan, delivery store.ID) (AttemptRow, error) {
	a := AttemptRow{Attempt: store.Attempt{Delivery: delivery}}
	var started int64
	var kind, out string
	if err := sc(&a.Subqueue, &a.No, &kind, &a.Connection, &a.Lane, &a.Node, &a.Epoch, &started, &a.Recipients, &out); err != nil {
		return a, err
	}
	a.Kind, a.StartedAt = store.Kind(kind), At(started)
	a.DecodeOutcome([]byte(out))
	return a, nil
}

// A Lane is a row of lanes while a transaction works on it.
type Lane struct {
	ID int64
	store.Lane
	LimitsOf  string // connection and revision that the limits were read from
	NotBefore int64  // the first in line does not fit the daily budget before
	Turn      int64  // when it was served last
	Ready     int64  // no claim finds anything before
	Served    int64
	Now       time.Time // of the last call that touched it
	Dirty     bool
}

// Floor is before when nothing of the lane may begin, whatever waits in it.
func (l *Lane) Floor() int64 {
	at := max(l.NotBefore, l.Turn)
	if !l.Now.IsZero() {
		if r := l.Room(l.Now); r.Deliveries == 0 {
			at = max(at, Micros(r.At))
		}
	}
	return at
}

// TakeLimits has the lane go by the limits of a route, unless they are of an
// older state of the connection than those it has: a node that has not read an
// edit yet must not undo it. It reports whether the lane changed.
func (l *Lane) TakeLimits(r store.Route) bool {
	if l.Limits == r.Limits {
		return false
	}
	if id, revision, ok := strings.Cut(l.LimitsOf, " "); ok && id == r.Connection {
		if have, err := strconv.ParseInt(revision, 10, 64); err == nil && r.Revision < have {
			return false
		}
	}
	l.setLimits(r.Connection, r.Revision, r.Limits)
	l.NotBefore = 0
	return true
}

func (l *Lane) setLimits(connection string, revision int64, limits adapters.LaneLimits) {
	l.Limits, l.LimitsOf = limits, connection+" "+strconv.FormatInt(revision, 10)
}

// LaneColumns are those of a Lane.
const LaneColumns = `lanes.id, key, concurrency, per_minute, per_day, paused_until, reason, cap, cap_until, in_flight, minute, day,
	gate_at, turn_at, served, ready_at, limits_of`

// ScanLane reads LaneColumns, and more after them.
func ScanLane(sc Scan, more ...any) (*Lane, error) {
	l := &Lane{}
	var paused, capUntil int64
	var reason, minute, day []byte
	if err := sc(append([]any{&l.ID, &l.Key, &l.Limits.Concurrency, &l.Limits.PerMinute, &l.Limits.RecipientsPerDay, &paused, &reason,
		&l.Cap, &capUntil, &l.InFlight, &minute, &day, &l.NotBefore, &l.Turn, &l.Served, &l.Ready, &l.LimitsOf}, more...)...); err != nil {
		return nil, err
	}
	l.PausedUntil, l.CapUntil = At(paused), At(capUntil)
	l.DecodeColumns(reason, minute, day)
	return l, nil
}
