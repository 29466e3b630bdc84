package postgres

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A purge between the load and the write of an action: what is gone is skipped,
// and no account counts it.
func TestActBesidePurge(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	var other *Store
	s := open(t, Options{fault: func(st stage, _ *pgx.Conn) error {
		if st == beforeFlush && armed.CompareAndSwap(true, false) {
			_, err := other.Purge(context.Background(), store.PurgeRequest{Now: time.Now(), Records: time.Now().Add(time.Hour)})
			return err
		}
		return nil
	}})
	other = open(t, Options{URL: s.opt.URL})
	c, err := s.PutConnection(t.Context(), time.Now(),
		&gateway.Connection{Connection: adapters.Connection{Name: "x", Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	m := benchMessage("l", []byte("x"), now)
	m.Deliveries[0].Route.Connection = c.ID
	out, err := s.Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}})
	if err != nil {
		t.Fatal(err)
	}
	id := out[0].Deliveries[0]
	if _, err := s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: []store.ID{id}, Now: now}); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	r, err := s.Act(t.Context(), store.Action{Verb: store.DoRetry, Deliveries: []store.ID{id}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Lane(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	_, gone := s.Delivery(t.Context(), id)
	if there := gone == nil; there != (r.Changed == 1) || l.Queued != r.Changed {
		t.Errorf("%d changed, the delivery: %v, the lane counts %d", r.Changed, gone, l.Queued)
	}
}

// Two submissions under one join key, on two connections of one lane, are both
// taken.
func TestJoinOfAnotherConnection(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	now := time.Now()
	for _, c := range []string{"c1", "c2"} {
		m := benchMessage("l", []byte("x"), now)
		m.Deliveries[0].Route.Connection = c
		m.Join = &store.Join{Key: "k", Until: now.Add(time.Minute)}
		out, err := s.Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}})
		if err != nil || out[0].Joined {
			t.Errorf("%s: %+v, %v", c, out, err)
		}
	}
}

// A node with a wrong clock neither ends the leases of nodes that live nor
// keeps its own when it is dead: leases go by the database's clock.
func TestSkewedClocks(t *testing.T) {
	t.Parallel()
	a := open(t, Options{})
	b := open(t, Options{URL: a.opt.URL})
	lives := func(s *Store, clock time.Duration) store.Node {
		t.Helper()
		s.skew.is = -clock // as compareClocks finds on a machine that is so much ahead
		now := time.Now().Add(clock)
		n := store.Node{Name: "n", Incarnation: 1}
		if err := change(t.Context(), s, `INSERT INTO nodes VALUES ('n', 1, $1) ON CONFLICT (name) DO UPDATE SET incarnation = 1, until_at = $1`,
			engine.Micros(now.Add(12*time.Second).Add(s.skew.difference()))); err != nil {
			t.Fatal(err)
		}
		return n
	}
	reap := func(s *Store, clock time.Duration) int {
		t.Helper()
		s.skew.is = -clock
		if _, err := s.Reap(t.Context(), time.Now().Add(clock)); err != nil {
			t.Fatal(err)
		}
		var incarnation int
		if err := s.DB.Read(t.Context(), `SELECT incarnation FROM nodes WHERE name = 'n'`, nil, &incarnation); err != nil {
			t.Fatal(err)
		}
		return incarnation - 1
	}
	lives(a, 0)
	if reap(b, time.Hour) != 0 {
		t.Error("a machine with a clock that is ahead ended the lease of a node that lives")
	}
	lives(a, time.Hour)
	if err := change(t.Context(), a, `UPDATE nodes SET until_at = until_at - 13000000`); err != nil { // 13 seconds later
		t.Fatal(err)
	}
	if reap(b, 0) != 1 {
		t.Error("a node with a clock that was ahead keeps its lease when it is dead")
	}
	if err := a.compareClocks(t.Context()); err != nil || a.skew.difference() != 0 {
		t.Errorf("on one machine the clocks differ by %v: %v", a.skew.difference(), err)
	}
}

// change runs one statement, a transaction of its own.
func change(ctx context.Context, s *Store, q string, args ...any) error {
	return s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, q, args...)
		return dbErr(err)
	})
}
