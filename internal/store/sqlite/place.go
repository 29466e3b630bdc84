package sqlite

import (
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A placed delivery is new in this transaction and not a row yet: most are
// claimed by the same transaction, and are written once, as leased.
type placed struct {
	d       *newDelivery
	msg     int64
	message *store.Message
	flow    *subqueue
	row     *deliveryRow // once it is leased
}

// place takes in a new delivery of a message whose row is written.
func (t *tx) place(now time.Time, msg int64, m *store.Message, d *newDelivery, join any) error {
	f, err := t.SubqueueOf(now, d.Route, d.Client)
	if err != nil {
		return err
	}
	t.writes++ // it will be
	if join == nil && d.State == store.Queued && !d.NextAt.After(now) && !waits(f, d.NextAt) {
		t.placed = append(t.placed, &placed{d: d, msg: msg, message: m, flow: f})
		t.wake = true
		return nil
	}
	return t.insertDelivery(msg, f, &d.Delivery, d.recipients, join)
}

// writePlaced makes rows of the deliveries that were placed.
func (t *tx) writePlaced() error {
	for _, p := range t.placed {
		d := &p.d.Delivery
		if p.row != nil {
			d = &p.row.D
		}
		seq, err := t.insertRow(p.msg, p.flow, d, p.d.recipients, nil)
		if err != nil {
			return err
		}
		if p.row != nil {
			p.row.Seq = seq
		} else {
			engine.Arrived(t, p.flow, d.NextAt)
		}
	}
	clear(t.placed)
	t.placed = t.placed[:0]
	return nil
}

func (t *tx) insertDelivery(msg int64, f *subqueue, d *store.Delivery, recipients string, join any) error {
	if _, err := t.insertRow(msg, f, d, recipients, join); err != nil {
		return err
	}
	if d.Waits() {
		engine.Arrived(t, f, d.NextAt)
	}
	return nil
}

func (t *tx) insertRow(msg int64, f *subqueue, d *store.Delivery, recipients string, join any) (seq int64, err error) {
	return t.insert(`INSERT INTO deliveries (id, msg, flow, position, state, next_at, deadline_at, created_at,
		expires_at, warn_at, finished_at,
		attempts, epoch, node, kind, since, join_key, recipients, word) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, '')`,
		d.ID, msg, f.ID, d.Route.Position, int(d.State), engine.Micros(d.NextAt), engine.Micros(d.Deadline()), engine.Micros(d.CreatedAt),
		engine.Micros(d.ExpiresAt), engine.Micros(d.WarnAt),
		d.Attempts, d.Epoch, d.Node, string(d.Kind), engine.Micros(d.Since), join, recipients)
}

// claimPlaced claims deliveries that were just placed and that no one waits
// before: what waited in their lanes was claimed first.
func (t *tx) claimPlaced(r store.ClaimRequest, max int) (out []*claimedRow, err error) {
	now := engine.Micros(r.Now)
	for _, p := range t.placed {
		if len(out) >= max {
			break
		}
		f := p.flow
		if p.row != nil || p.d.NextAt.After(r.Now) || waits(f, p.d.NextAt) || f.NotBefore > now {
			continue
		}
		l, err := t.LaneByID(f.Lane)
		if err != nil {
			return nil, err
		}
		n := p.d.CountPending()
		if fits, _ := l.Fits(r.Now, n); !fits || l.NotBefore > now || l.Room(r.Now).Deliveries == 0 {
			continue
		}
		l.Now, l.Turn = r.Now, now
		row := &deliveryRow{Msg: p.msg, Subqueue: f.ID, D: p.d.Delivery}
		row.D.Recipients = slices.Clone(row.D.Recipients)
		placedIn(row, f, l)
		lease := row.D.Lease(r.Node.Name, r.Now)
		l.Begin(r.Now, row.D.Kind, n)
		t.LaneChanged(l)
		p.row, t.leased[row.D.ID] = row, row
		out = append(out, claimed(row, lease, *p.message))
	}
	return out, nil
}

// settle writes all that the transaction has put off.
func (t *tx) settle() error {
	if err := t.writePlaced(); err != nil {
		return err
	}
	if err := t.writeEvents(); err != nil {
		return err
	}
	return t.flush()
}
