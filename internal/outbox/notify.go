package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Notify is how senders are notified (RFC 3464).
type Notify struct {
	Off      bool
	Hostname string // reporting MTA and domain of Message-IDs
	Client   func(ctx context.Context, id string) (off bool, err error)
}

// A reportKind is what a notification tells.
type reportKind string

const (
	reportFailed  reportKind = "failed"
	reportDelayed reportKind = "delayed"
	reportRelayed reportKind = "relayed"
	reportUnknown reportKind = "unknown" // it is not known whether it was sent
)

// wanted applies NOTIFY of RFC 3461 section 4.1: failures and delays are told
// unless it says otherwise, success only on demand.
func wanted(k reportKind, r store.Recipient) bool {
	if len(r.Notify) == 0 {
		return k != reportRelayed
	}
	switch k {
	case reportFailed:
		return slices.Contains(r.Notify, mime.NotifyFailure)
	case reportDelayed:
		return slices.Contains(r.Notify, mime.NotifyDelay)
	case reportUnknown:
		return slices.Contains(r.Notify, mime.NotifyDelay) || slices.Contains(r.Notify, mime.NotifyFailure)
	}
	return slices.Contains(r.Notify, mime.NotifySuccess)
}

// report makes the message that tells the sender, none when no one wants it.
// It is stored in the same transition as what it tells of, so it exists exactly once.
// An error is ErrUnavailable: what it needs cannot be read now.
func (o *Outbox) report(ctx context.Context, d *store.Delivery, m *store.Message, conn *gateway.Connection, k reportKind,
	about []store.Recipient) ([]store.NewMessage, error) {
	about = slices.DeleteFunc(slices.Clone(about), func(r store.Recipient) bool { return !wanted(k, r) })
	if len(about) == 0 || o.opt.Notify.Off || m.Notification || m.Envelope.From.IsZero() {
		return nil, nil
	}
	if o.opt.Notify.Client != nil && d.Client != "" {
		off, err := o.opt.Notify.Client(ctx, d.Client)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, o.notifyFailed(d, m, k, err)
		case off:
			return nil, nil
		}
	}
	way, from, err := o.reportRoute(ctx, m, conn)
	if err != nil {
		return nil, o.notifyFailed(d, m, k, err)
	}
	if way == nil {
		return nil, o.notifyFailed(d, m, k, errors.New("no connection may carry the notification"))
	}
	msg, err := o.notification(ctx, m, way, from, k, about)
	if err != nil {
		return nil, o.notifyFailed(d, m, k, err)
	}
	return []store.NewMessage{*msg}, nil
}

// notifyFailed returns err where a later attempt may succeed, and otherwise a
// notifyError: no one will be notified.
func (o *Outbox) notifyFailed(d *store.Delivery, m *store.Message, k reportKind, err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return err
	}
	o.opt.Log.Error("the sender cannot be told", "delivery", d.ID.String(), "message_id", m.MessageID, "sender", m.Envelope.From,
		"kind", string(k), "err", err)
	return &notifyError{kind: k, err: err}
}

// A notifyError means that no notification could be made: the delivery's record
// and an event say so, for a person to tell the sender.
type notifyError struct {
	kind reportKind
	err  error
}

func (e *notifyError) Error() string { return "the sender cannot be told: " + e.err.Error() }
func (e *notifyError) Unwrap() error { return e.err }

// tell adds the notification to a transition, or to the record that there is none.
func (o *Outbox) tell(ctx context.Context, transition *store.Transition, d *store.Delivery, m *store.Message, conn *gateway.Connection,
	k reportKind, about []store.Recipient) error {
	messages, err := o.report(ctx, d, m, conn, k, about)
	var failed *notifyError
	if !errors.As(err, &failed) {
		transition.Messages = append(transition.Messages, messages...)
		return err
	}
	transition.Progress.NotifyFailed = true
	o.notNotified.Add(1)
	if !o.opt.Events {
		return nil
	}
	event, err := notificationFailed(d, m, transition.Now, notificationData{Sender: m.Envelope.From, Kind: k, Error: failed.err.Error()})
	transition.Events = append(transition.Events, event)
	return err
}

// notificationData is what the event of a notification that failed carries.
type notificationData struct {
	MessageID string       `json:"message_id"`
	Sender    mime.Mailbox `json:"sender,omitzero"`
	Kind      reportKind   `json:"kind,omitempty"`
	Error     string       `json:"error,omitempty"`
	store.Label
}

func notificationFailed(d *store.Delivery, m *store.Message, now time.Time, data notificationData) (store.NewEvent, error) {
	data.MessageID, data.Label = m.MessageID, m.Label()
	doc, err := json.Marshal(data)
	return store.NewEvent{Type: "notification.failed", At: now, Client: d.Client, Message: m.ID, Delivery: d.ID, Data: doc}, err
}

// NotNotified is how many notifications could not be made since the start.
func (o *Outbox) NotNotified() int64 { return o.notNotified.Load() }

// reportRoute chooses the connection of a notification and its From: the one that
// the message took, unless that is what failed; one of its fallbacks; the
// default one; another one of the same owner. Never one of somebody else's: it
// would show the message to them, and count against their limits.
func (o *Outbox) reportRoute(ctx context.Context, m *store.Message, conn *gateway.Connection) (*gateway.Connection, mime.Mailbox, error) {
	all, err := o.conns.All(ctx)
	if err != nil {
		return nil, mime.Mailbox{}, err
	}
	const never = 9
	rank := func(c *gateway.Connection) int {
		switch {
		case conn != nil && c.ID == conn.ID:
			return 0
		case conn != nil && slices.ContainsFunc(conn.Fallback, func(name string) bool { return strings.EqualFold(name, c.Name) }):
			return 1
		case c.Default == gateway.DefaultAlways || c.Default == gateway.DefaultUnrouted:
			return 2
		case conn != nil && c.Owner == conn.Owner:
			return 3
		}
		return never
	}
	all = slices.DeleteFunc(slices.Clone(all), func(c *gateway.Connection) bool { return rank(c) == never || !c.IsActive() })
	slices.SortStableFunc(all, func(a, b *gateway.Connection) int { return rank(a) - rank(b) })
	for _, c := range all {
		from := reportFrom(c, m.From)
		if from.IsZero() {
			continue
		}
		st, err := o.opt.Store.ConnectionState(ctx, c.ID)
		if err != nil {
			return nil, mime.Mailbox{}, err
		}
		// A breaker that is open stays so until something goes through.
		if !st.PausedUntil.After(time.Now()) && st.Breaker.State != "open" {
			return c, from, nil
		}
	}
	if conn != nil { // paused, but the mail waits for it as other mail does
		if from := reportFrom(conn, m.From); !from.IsZero() {
			return conn, from, nil
		}
	}
	return nil, mime.Mailbox{}, nil
}

// reportFrom is the From of a notification over a connection: an address that
// the connection may send as, its own before that of the failed message's author,
// who comes last and only where the connection is for such authors; none: there is none.
func reportFrom(c *gateway.Connection, author mime.Mailbox) mime.Mailbox {
	own := c.OwnAddress()
	if own.IsZero() && (c.MatchesFrom(author) || c.Provider == adapters.SMTP && c.From == "") {
		return author
	}
	return own
}

// notification is the message with its one delivery.
func (o *Outbox) notification(ctx context.Context, m *store.Message, way *gateway.Connection, from mime.Mailbox, k reportKind,
	about []store.Recipient) (*store.NewMessage, error) {
	original, err := o.returned(ctx, m)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	host := o.opt.Notify.Hostname
	if host == "" {
		host = "postino.localdomain"
	}
	raw, err := composeReport(reportInput{kind: k, now: now, host: host, from: from, displayName: way.DisplayName, message: m, about: about,
		original: original})
	if err != nil {
		return nil, err
	}
	read, err := mime.Read(mime.Bytes(raw), mime.Limits{})
	if err != nil {
		return nil, err
	}
	to := mime.Recipient{Address: m.Envelope.From, Notify: []mime.Notify{mime.NotifyNever}}
	return &store.NewMessage{
		Message: store.Message{MessageID: read.MessageID(), Subject: read.Subject(), From: from, Client: m.Client, EntryPoint: "postino",
			Class: "transactional", Notification: true, ReceivedAt: now, Envelope: mime.Envelope{Recipients: []mime.Recipient{to}}},
		Head: read.Head(), Body: read.Body(),
		Deliveries: []store.NewDelivery{{Recipients: []mime.Recipient{to}, NextAt: now,
			ExpiresAt: now.Add(ScheduleOf(way, o.opt.Retry).GiveUp),
			Route:     store.RouteTo(way, from, 0)}},
	}, nil
}

// maxReturned bounds a message that comes back whole (RET=FULL, RFC 3461 4.3).
const maxReturned = 256 << 10

// returnedMessage is what of the original comes back.
type returnedMessage struct {
	bytes []byte
	whole bool
}

// returned reads the header of the message, or all of it where RET=FULL asks
// for it and it is small.
func (o *Outbox) returned(ctx context.Context, m *store.Message) (returnedMessage, error) {
	content, err := o.opt.Store.Content(ctx, m.ID)
	if err != nil { // a file that cannot be read may stay so: the sender is told without it
		return returnedMessage{}, nil
	}
	defer content.Close()
	read, err := mime.Read(content, mime.Limits{Recipients: anyNumber})
	if err != nil {
		return returnedMessage{}, nil // told without the header
	}
	// The SMTP view: a notification must not show hidden recipients either.
	view := read.ForSMTP()
	size := view.Size()
	whole := m.Envelope.Ret == mime.RetFull && size <= maxReturned
	if !whole {
		size = min(view.Size()-read.Body().Size(), maxReturned)
	}
	b := make([]byte, size)
	if n, err := view.ReadAt(b, 0); int64(n) < size {
		return returnedMessage{}, fmt.Errorf("the message cannot be read: %w", err)
	}
	return returnedMessage{b, whole}, nil
}
