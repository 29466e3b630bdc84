package engine

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A ClaimedRow is a delivery that is claimed, or read to be, its message
// perhaps not decoded yet.
type ClaimedRow struct {
	DeliveryRow
	Message MessageRow
	Fresh   *store.Message // instead of Message: it was not read
	Lease   store.Lease
}

// Claims shares what may begin among lanes, and within a lane among its
// subqueues.
type Claims struct {
	Work
	Now  time.Time
	Node string
	Max  int
	// Queues are the subqueues of each lane in which something may be due, who is
	// served next first. Ready returns those of a lane that is not in Queues.
	Queues map[*Lane][]*Subqueue
	Ready  func(l *Lane, want int) ([]*Subqueue, error)
	// Round is told the part of each lane before a round; nil: it need not know.
	Round func(lanes []*Lane, part int) error
	// Read returns up to n deliveries that are due in a subqueue, in that order,
	// which were not returned before.
	Read func(f *Subqueue, n int) ([]*ClaimedRow, error)
	// Leased has a delivery written that is leased now.
	Leased func(r *ClaimedRow) error

	gaveWay int // deliveries that let others pass now
}

// gaveWayMost is how many let others pass in one transaction before it reads no more of a subqueue.
const gaveWayMost = 256

// From claims from lanes. Each gets an equal part of what is left; one that has
// less due leaves the rest to the others in the next round.
func (c *Claims) From(lanes []*Lane) (out []*ClaimedRow, err error) {
	if c.Queues == nil {
		c.Queues = map[*Lane][]*Subqueue{}
	}
	for len(lanes) > 0 && len(out) < c.Max {
		part := max(1, (c.Max-len(out))/len(lanes))
		if c.Round != nil {
			if err := c.Round(lanes, part); err != nil {
				return nil, err
			}
		}
		var on []*Lane
		for _, l := range lanes {
			want := min(part, c.Max-len(out))
			if want == 0 {
				break
			}
			got, err := c.fromLane(l, want)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
			if len(got) == want {
				on = append(on, l)
			}
		}
		lanes = on
	}
	return out, nil
}

// fromLane claims up to want deliveries of a lane, its subqueues taking turns.
func (c *Claims) fromLane(l *Lane, want int) (out []*ClaimedRow, err error) {
	l.Now, l.Turn = c.Now, Micros(c.Now)
	l.Served++
	c.LaneChanged(l)
	if _, ok := c.Queues[l]; !ok {
		l.NotBefore = 0
		if c.Queues[l], err = c.Ready(l, want); err != nil {
			return nil, err
		}
	}
	for len(c.Queues[l]) > 0 && len(out) < want {
		room := min(l.Room(c.Now).Deliveries, want-len(out))
		if room == 0 {
			break
		}
		part := max(1, room/len(c.Queues[l]))
		var on []*Subqueue
		for i, f := range c.Queues[l] {
			n := min(part, want-len(out), l.Room(c.Now).Deliveries)
			if n == 0 {
				on = append(on, c.Queues[l][i:]...)
				break
			}
			before := c.gaveWay
			got, full, err := c.fromSubqueue(l, f, n)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
			if full { // the daily budget has no room for who is first in line
				c.Queues[l] = nil
				return out, nil
			}
			if len(got) == n || c.gaveWay > before && c.gaveWay < gaveWayMost { // those behind them may have room
				on = append(on, f)
			}
		}
		c.Queues[l] = on
	}
	return out, nil
}

// fromSubqueue claims up to n deliveries in the order in which they are due.
func (c *Claims) fromSubqueue(l *Lane, f *Subqueue, n int) (out []*ClaimedRow, full bool, err error) {
	keepsPlace := false
	found, err := c.Read(f, n)
	if err != nil {
		return nil, false, err
	}
	for _, row := range found {
		d := row.Decode()
		if row.Corrupt {
			if err := Save(c.Work, c.Now, &row.DeliveryRow, func(d *store.Delivery) { d.HoldCorrupt(c.Now) }); err != nil {
				return nil, false, err
			}
			continue
		}
		if d.State == store.Queued {
			if ok, when := l.Fits(c.Now, d.CountPending()); !ok {
				later := *d
				if later.GiveWay(c.Now, when, l.Limits.RecipientsPerDay) {
					if err := Save(c.Work, c.Now, &row.DeliveryRow, func(d *store.Delivery) { *d = later }); err != nil {
						return nil, false, err
					}
					c.gaveWay++
					continue
				}
				l.NotBefore, full, keepsPlace = Micros(when), true, !d.NoRoomSince.IsZero()
				break
			}
		}
		row.Lease = d.Lease(c.Node, c.Now)
		l.Begin(c.Now, d.Kind, d.CountPending())
		if err := c.Leased(row); err != nil {
			return nil, false, err
		}
		out = append(out, row)
	}
	left(c.Work, f, int64(len(out)))
	if !keepsPlace { // what has let others pass for long enough is to be the first that gets room
		f.Turn = Micros(c.Now)
		f.Served++
	}
	return out, full, nil
}

// Decode decodes what was claimed. A delivery with a corrupt record of its message is
// held.
func (p Ports) Decode(ctx context.Context, rows []*ClaimedRow, now time.Time) []store.Claimed {
	out := make([]store.Claimed, 0, len(rows))
	for _, row := range rows {
		m, ok := row.Fresh, true
		if m == nil {
			m, ok = row.Message.Decode()
		}
		if !ok {
			if err := p.Finish(ctx, store.FinishCorrupt(row.Lease, &row.D, now)); err != nil {
				p.DB.Log.Error("the record of a message is corrupt, and its delivery cannot be held: it stays as it is until the node ends",
					"delivery", row.D.ID.String(), "err", err)
			}
			continue
		}
		out = append(out, store.Claimed{Lease: row.Lease, Delivery: row.D, Message: *m})
	}
	return out
}
