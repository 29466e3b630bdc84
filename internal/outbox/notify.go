package outbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Notify says how senders are told (RFC 3464).
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
)

// wanted applies NOTIFY of RFC 3461 section 4.1: failures and delays are told
// unless it says otherwise, success only on demand.
func wanted(k reportKind, r store.Recipient) bool {
	if len(r.Notify) == 0 {
		return k != reportRelayed
	}
	switch k {
	case reportFailed:
		return slices.Contains(r.Notify, "FAILURE")
	case reportDelayed:
		return slices.Contains(r.Notify, "DELAY")
	}
	return slices.Contains(r.Notify, "SUCCESS")
}

// report makes the message that tells the sender, none when nobody wants it.
// It is stored in the same step as what it tells of, so it exists exactly once.
func (o *Outbox) report(ctx context.Context, d *store.Delivery, m *store.Message, conn *adapters.Connection, k reportKind, about []store.Recipient) []store.NewMessage {
	about = slices.DeleteFunc(slices.Clone(about), func(r store.Recipient) bool { return !wanted(k, r) })
	if len(about) == 0 || o.opt.Notify.Off || m.Notification || m.Envelope.From == "" {
		return nil
	}
	if o.opt.Notify.Client != nil && d.Client != "" {
		off, err := o.opt.Notify.Client(ctx, d.Client)
		if off || err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil
		}
	}
	way, from := o.reportWay(ctx, m, conn)
	if way == nil {
		o.opt.Log.Error("the sender cannot be told: no connection can carry the notification", "delivery", d.ID.String(), "kind", string(k))
		return nil
	}
	msg, err := o.notification(ctx, m, way, from, k, about)
	if err != nil {
		o.opt.Log.Error("the sender cannot be told: the notification cannot be made", "delivery", d.ID.String(), "err", err)
		return nil
	}
	return []store.NewMessage{*msg}
}

// reportWay chooses the connection of a notification and its From: the one that
// the message took, unless that is what failed; else the default one; else any.
func (o *Outbox) reportWay(ctx context.Context, m *store.Message, conn *adapters.Connection) (*adapters.Connection, string) {
	all, err := o.conns.All(ctx)
	if err != nil {
		return nil, ""
	}
	all = slices.Clone(all)
	rank := func(c *adapters.Connection) int {
		switch {
		case conn != nil && c.ID == conn.ID:
			return 0
		case c.Default == adapters.DefaultAlways || c.Default == adapters.DefaultUnrouted:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b *adapters.Connection) int { return rank(a) - rank(b) })
	for _, c := range all {
		from := c.From
		if _, pattern := c.FromPattern(); pattern || from == "" {
			from = c.Mailbox(m.From)
		}
		if _, err := mime.NormalizeAddress(from); err != nil || !c.IsActive() {
			continue
		}
		st, err := o.opt.Store.ConnectionState(ctx, c.ID)
		// A breaker that is open stays so until something goes through.
		if err != nil || st.PausedUntil.After(time.Now()) || st.Breaker.State == "open" {
			continue
		}
		return c, from
	}
	if conn != nil && conn.From != "" { // paused, but the mail waits for it as other mail does
		return conn, conn.Mailbox(m.From)
	}
	return nil, ""
}

// notification is the message with its one delivery.
func (o *Outbox) notification(ctx context.Context, m *store.Message, way *adapters.Connection, from string, k reportKind, about []store.Recipient) (*store.NewMessage, error) {
	original, err := o.returned(ctx, m)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	host := o.opt.Notify.Hostname
	if host == "" {
		host = "postino.localdomain"
	}
	raw, err := composeReport(reportInput{kind: k, now: now, host: host, from: from, displayName: way.DisplayName, message: m, about: about, original: original})
	if err != nil {
		return nil, err
	}
	read, err := mime.Read(mime.Bytes(raw), mime.Limits{})
	if err != nil {
		return nil, err
	}
	to := mime.Recipient{Address: m.Envelope.From, Notify: []string{"NEVER"}}
	return &store.NewMessage{
		Message: store.Message{MessageID: read.MessageID(), Subject: read.Subject(), From: from, Client: m.Client, Door: "postino",
			Class: "transactional", Notification: true, ReceivedAt: now, Envelope: mime.Envelope{Recipients: []mime.Recipient{to}}},
		Head: read.Head(), Body: read.Body(),
		Deliveries: []store.NewDelivery{{Recipients: []mime.Recipient{to}, NextAt: now,
			ExpiresAt: now.Add(ScheduleOf(way, o.opt.Retry).GiveUp),
			Route:     store.Route{Connection: way.ID, Lane: way.Lane(from), Limits: way.EffectiveLimits()}}},
	}, nil
}

// maxReturned bounds a message that comes back whole (RET=FULL, RFC 3461 4.3).
const maxReturned = 256 << 10

// returnedMessage is what of the original comes back.
type returnedMessage struct {
	bytes []byte
	whole bool
}

// returned gives the header of the message, or all of it where RET=FULL asks
// for it and it is small.
func (o *Outbox) returned(ctx context.Context, m *store.Message) (returnedMessage, error) {
	content, err := o.opt.Store.Content(ctx, m.ID)
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrNotFound) {
		return returnedMessage{}, nil
	}
	if err != nil {
		return returnedMessage{}, err
	}
	defer content.Close()
	read, err := mime.Read(content, mime.Limits{})
	if err != nil {
		return returnedMessage{}, nil // told without the header
	}
	// The SMTP view: a notification must not show hidden recipients either.
	view := read.ForSMTP()
	size := view.Size()
	whole := m.Envelope.Ret == "FULL" && size <= maxReturned
	if !whole {
		size = min(view.Size()-read.Body().Size(), maxReturned)
	}
	b := make([]byte, size)
	if n, err := view.ReadAt(b, 0); int64(n) < size {
		return returnedMessage{}, err
	}
	return returnedMessage{b, whole}, nil
}
