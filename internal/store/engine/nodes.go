package engine

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Register implements store.Queue.
func (p Ports) Register(ctx context.Context, name string, now, until time.Time) (n store.Node, reaped int, err error) {
	if name == "" {
		return n, 0, errors.New("store: a node needs a name")
	}
	reaped, err = p.endNodes(ctx, now, func(t Tx) ([]string, error) {
		n = store.Node{Name: name}
		// No claim of the earlier process is under way from here on.
		if err := t.Each(`SELECT name FROM nodes WHERE name = $1`+t.Lock(), []any{name}, func(Scan) error { return nil }); err != nil {
			return nil, err
		}
		return []string{name}, t.Row(`INSERT INTO nodes (name, incarnation, until_at) VALUES ($1, 1, $2)
			ON CONFLICT (name) DO UPDATE SET incarnation = nodes.incarnation + 1, until_at = excluded.until_at RETURNING incarnation`,
			[]any{name, p.until(until)}, &n.Incarnation)
	})
	if err != nil {
		return store.Node{}, 0, err
	}
	return n, reaped, nil
}

// until is a moment of this machine in the column of nodes, which goes by the
// database's clock where there are several machines.
func (p Ports) until(t time.Time) int64 {
	if p.DB.Skew != nil {
		t = t.Add(p.DB.Skew())
	}
	return Micros(t)
}

// Heartbeat implements store.Queue.
func (p Ports) Heartbeat(ctx context.Context, n store.Node, _, until time.Time) error {
	return p.DB.Do(ctx, func(t Tx) error {
		found, err := t.Exec(`UPDATE nodes SET until_at = $3 WHERE name = $1 AND incarnation = $2`, n.Name, n.Incarnation, p.until(until))
		if err == nil && found == 0 {
			err = store.ErrNodeLost
		}
		return err
	})
}

// Reap implements store.Queue.
func (p Ports) Reap(ctx context.Context, now time.Time) (reaped int, err error) {
	over := p.until(now)
	var some bool
	if err := p.DB.Read(ctx, `SELECT EXISTS (SELECT 1 FROM nodes WHERE until_at < $1)`, []any{over}, &some); err != nil || !some {
		return 0, err
	}
	return p.endNodes(ctx, now, func(t Tx) ([]string, error) {
		return forget(t, `SELECT name FROM nodes WHERE until_at < $1 ORDER BY name`+skipLocked(t), over)
	})
}

// Leave implements store.Queue.
func (p Ports) Leave(ctx context.Context, n store.Node, now time.Time) error {
	_, err := p.endNodes(ctx, now, func(t Tx) ([]string, error) {
		names, err := forget(t, `SELECT name FROM nodes WHERE name = $1 AND incarnation = $2`+t.Lock(), n.Name, n.Incarnation)
		if err == nil && len(names) == 0 {
			err = store.ErrNodeLost
		}
		return names, err
	})
	return err
}

// forget ends the nodes that the query names. Their rows stay with incarnation
// kept, so that the name's next process gets a higher one: they are only marked
// as no one's.
func forget(t Tx, q string, args ...any) (names []string, err error) {
	if err := t.Each(q, args, func(sc Scan) error {
		var name string
		err := sc(&name)
		names = append(names, name)
		return err
	}); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := t.Exec(`UPDATE nodes SET incarnation = incarnation + 1, until_at = $2 WHERE name = $1`, name, Never()); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// endNodes ends every attempt that nodes have under way, which end names and has
// ended by then; their clocks may have been ahead.
func (p Ports) endNodes(ctx context.Context, now time.Time, end func(Tx) ([]string, error)) (reaped int, err error) {
	now = store.Micro(now)
	var need Needs
	err = p.DB.Work(ctx, Needs{First: func(t Tx, n *Needs) (err error) {
		if n.Nodes, err = end(t); err == nil {
			err = n.ahead(t, p.Schema, now)
		}
		need = *n
		return err
	}}, func(w Work) error {
		reaped = 0
		if err := need.SetClock(w, now); err != nil {
			return err
		}
		rows, err := w.LeasedBy(need.Nodes)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := reap(w, now, r); err != nil {
				return err
			}
		}
		reaped = len(rows)
		return nil
	})
	return reaped, err
}

// ClockSetBack forgets what lies ahead of now: this machine's clock was set back.
func (p Ports) ClockSetBack(ctx context.Context, now time.Time) error {
	var need Needs
	return p.DB.Work(ctx, Needs{First: func(t Tx, n *Needs) error {
		err := n.ahead(t, p.Schema, now)
		need = *n
		return err
	}}, func(w Work) error { return need.SetClock(w, now) })
}

// Ahead returns what lies ahead of now, which only a wrong clock can have done.
func Ahead(t Tx, s Schema, now time.Time) (n Needs, err error) { return n, n.ahead(t, s, now) }

// ahead adds the turns that were taken in the future, which would put off what is
// due, and what was taken in. Ids are made of the time, so their index finds it
// (the unary plus keeps SQLite from walking all that is open).
func (n *Needs) ahead(t Tx, s Schema, now time.Time) error {
	at := Micros(now)
	for _, q := range []struct {
		text string
		args []any
		add  func(Scan) error
	}{
		{`SELECT key FROM lanes WHERE turn_at > $1`, []any{at}, func(sc Scan) error {
			n.Lanes = append(n.Lanes, "")
			return sc(&n.Lanes[len(n.Lanes)-1])
		}},
		{`SELECT flows.id, lanes.key, flows.connection, flows.client FROM flows JOIN lanes ON lanes.id = flows.lane WHERE flows.turn_at > $1`,
			[]any{at}, func(sc Scan) error {
				n.Subqueues = append(n.Subqueues, SubqueueNeed{})
				f := &n.Subqueues[len(n.Subqueues)-1]
				return sc(&f.ID, &f.Lane, &f.Connection, &f.Client)
			}},
		{`SELECT d.id FROM deliveries d WHERE d.id > $1 AND d.created_at > $2 AND (+d.state <= 1 OR +d.state = 3)`,
			[]any{s.ID(store.FirstID(now)), at}, func(sc Scan) error {
				n.Deliveries = append(n.Deliveries, store.ID{})
				return sc(s.To(&n.Deliveries[len(n.Deliveries)-1]))
			}},
	} {
		if err := t.Each(q.text, q.args, q.add); err != nil {
			return err
		}
	}
	return nil
}

// SetClock takes back what Ahead found.
func (n *Needs) SetClock(w Work, now time.Time) error {
	at := Micros(now)
	for _, need := range n.Subqueues {
		f, err := w.SubqueueByID(need.ID)
		if err != nil {
			return err
		}
		f.Turn = min(f.Turn, at)
		w.SubqueueChanged(f)
		w.Wake()
	}
	for _, key := range n.Lanes {
		l, err := w.LaneByKey(key)
		if err != nil {
			return err
		}
		if l.Turn > at {
			l.SetClock(now, At(l.Turn))
			l.Turn, l.Now = at, now
			recheck(w, l)
		}
	}
	for _, id := range n.Deliveries {
		r, err := w.Delivery(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if s := r.D.State; r.D.CreatedAt.After(now) && (r.D.Waits() || s == store.Held) {
			if err := Save(w, now, r, func(d *store.Delivery) { d.SetClock(now) }); err != nil {
				return err
			}
		}
	}
	return nil
}
