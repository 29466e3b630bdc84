package sqlite

import (
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A placed delivery is new in this transaction and has no row yet: most are
// claimed by the same transaction, and are written once, as leased.
type placed struct {
	*deliveryRow
	subqueue *subqueue
	message  *store.Message
}

// Insert implements engine.Work. What nothing waits before need not have a row
// before the end of the transaction.
func (t *tx) Insert(m *engine.NewMessage, f *subqueue, r *deliveryRow) error {
	if r.Join != "" || r.D.State != store.Queued || waits(f, r.D.NextAt) {
		return t.insertDelivery(f, r)
	}
	t.placed = append(t.placed, placed{r, f, &m.Message})
	t.writes++ // flush will write
	t.Wake()
	return nil
}

// waits reports whether something of the subqueue that has a row is due by then,
// or may be: Due is never too late.
func waits(f *subqueue, by time.Time) bool { return f.Queued > 0 && f.Due <= engine.Micros(by) }

// writePlaced makes the rows of what was placed.
func (t *tx) writePlaced() error {
	for _, p := range t.placed {
		if err := t.insertDelivery(p.subqueue, p.deliveryRow); err != nil {
			return err
		}
	}
	clear(t.placed)
	t.placed = t.placed[:0]
	return nil
}

func (t *tx) insertDelivery(f *subqueue, r *deliveryRow) (err error) {
	d := &r.D
	recipients, err := store.EncodeRecipients(d.Recipients)
	if err != nil {
		return err
	}
	var join any
	if r.Join != "" {
		join = r.Join
	}
	if r.Seq, err = t.insert(`INSERT INTO deliveries (id, msg, flow, position, state, next_at, deadline_at, created_at, expires_at, warn_at,
		finished_at, attempts, epoch, node, kind, since, join_key, recipients, word)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, '')`,
		d.ID, r.Msg, r.Subqueue, d.Route.Position, int(d.State), engine.Micros(d.NextAt), engine.Micros(d.Deadline()),
		engine.Micros(d.CreatedAt), engine.Micros(d.ExpiresAt), engine.Micros(d.WarnAt),
		d.Attempts, d.Epoch, d.Node, string(d.Kind), engine.Micros(d.Since), join, recipients); err == nil {
		engine.Counted(t, f, r)
		err = t.exec(putSubqueue, r.Subqueue, r.Seq)
	}
	return err
}

// claimPlaced claims up to n deliveries that were just placed and that nothing
// waits before: what waited in their lanes was claimed first.
func (t *tx) claimPlaced(r store.ClaimRequest, n int) (out []*claimedRow, err error) {
	now := engine.Micros(r.Now)
	var full []*lane // no one goes before who is first in line there
	for _, p := range t.placed {
		if len(out) >= n {
			break
		}
		f, d := p.subqueue, &p.D
		if d.State != store.Queued || d.NextAt.After(r.Now) || f.NotBefore > now || waits(f, d.NextAt) {
			continue
		}
		l, err := t.LaneByID(f.Lane)
		if err != nil {
			return nil, err
		}
		if slices.Contains(full, l) {
			continue
		}
		rcpts := d.CountPending()
		if fits, _ := l.Fits(r.Now, rcpts); !fits || l.NotBefore > now || l.Room(r.Now).Deliveries == 0 {
			full = append(full, l)
			continue
		}
		row := &claimedRow{Fresh: p.message, Lease: d.Lease(r.Node.Name, r.Now)}
		l.Now, l.Turn = r.Now, now
		l.Begin(r.Now, d.Kind, rcpts)
		t.LaneChanged(l)
		t.leased[d.ID] = p.deliveryRow
		row.DeliveryRow = *p.deliveryRow
		row.D.Recipients = slices.Clone(d.Recipients)
		out = append(out, row)
	}
	return out, nil
}
