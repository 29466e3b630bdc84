package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

var errModel = errors.New("part of the game")

// fail is a call that is undone after it has written.
func (m *model) fail() call {
	return func() func() {
		err := m.s.do(m.t.Context(), func(t *tx) error {
			if err := t.exec(`UPDATE lanes SET in_flight = 99`); err != nil {
				return err
			}
			return errModel
		})
		return func() { m.must(err, errModel, store.ErrUnavailable) }
	}
}

func (m *model) claim(s *Store, most int) call {
	r := store.ClaimRequest{Node: m.nodes[m.r.IntN(2)], Now: m.now, Max: most}
	return func() func() {
		got, err := s.Claim(m.t.Context(), r)
		learn := m.claimed(got, err)
		return func() {
			learn()
			for _, c := range got {
				m.allowed(c.Delivery.Route, r.Now)
			}
		}
	}
}

// allowed checks that neither the lane nor the connection is paused. In one
// transaction claims come after all changes.
func (m *model) allowed(r store.Route, now time.Time) {
	var until int64
	m.must(m.s.DB.Read(m.t.Context(), `SELECT max((SELECT paused_until FROM lanes WHERE key = ?1),
		coalesce((SELECT paused_until FROM connection_states WHERE connection = ?2), 0))`, []any{r.Lane, r.Connection}, &until))
	if until > engine.Micros(now) {
		m.t.Errorf("claimed at %v from %+v, which is paused until %v", now, r, engine.At(until))
	}
}

func (m *model) claimed(got []store.Claimed, err error) func() {
	return func() {
		m.must(err, store.ErrUnavailable, store.ErrNodeLost, context.Canceled)
		for _, c := range got {
			id := c.Delivery.ID
			if old := m.leases[id]; old != nil && !m.reaps {
				m.t.Fatalf("%s was claimed twice, as %d and %d", id, old.Lease.Epoch, c.Lease.Epoch)
			}
			if c.Delivery.Kind == store.Send {
				m.day[c.Delivery.Route.Lane] += int64(c.Delivery.CountPending())
			}
			m.leases[id] = &c
			d, err := m.s.Delivery(m.t.Context(), id)
			m.must(err)
			if d.Epoch == c.Lease.Epoch && d.State == store.Sending {
				msg, err := m.s.Message(m.t.Context(), c.Message.ID)
				m.must(err)
				m.same("a delivery as claimed and as stored", c.Delivery, d)
				m.same("a message as claimed and as stored", c.Message, msg)
			}
		}
	}
}

func (m *model) same(what string, a, b any) {
	x, err := json.Marshal(a)
	m.must(err)
	y, err := json.Marshal(b)
	m.must(err)
	if !bytes.Equal(x, y) {
		m.t.Errorf("%s:\n%s\n%s", what, x, y)
	}
}

// lease picks one that no other call of the round uses.
func (m *model) lease() *store.Claimed {
	var ids []store.ID
	for id := range m.leases {
		if !m.busy[id] {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	id := ids[m.r.IntN(len(ids))]
	m.busy[id] = true
	return m.leases[id]
}

func nothing() func() { return func() {} }

func (m *model) finish(s *Store) call {
	c, late := m.lease(), false
	if n := len(m.late); n > 0 && m.r.IntN(3) == 0 {
		c, late, m.late = m.late[n-1], true, m.late[:n-1]
		m.busy[c.Delivery.ID] = true
	}
	if c == nil {
		return nothing
	}
	own := *c
	own.Delivery.Recipients = slices.Clone(own.Delivery.Recipients)
	f := benchFinish(own, m.now)
	lane, reaps := c.Delivery.Route.Lane, m.reaps || late
	switch m.r.IntN(8) {
	case 0:
		f.Transition.State, f.Transition.NextAt, f.Transition.Recipients = store.Queued, m.now.Add(time.Duration(m.r.IntN(30))*time.Second), nil
		to := m.route()
		f.Transition.Route = &to
	case 1:
		f.Transition.State, f.Transition.NextAt, f.Transition.Recipients = store.Queued, m.now, nil
		until := m.now.Add(15 * time.Second)
		f.Transition.Lane = &store.LaneChange{PauseUntil: &until}
	case 2:
		f.Transition.State, f.Transition.NextAt, f.Transition.Recipients = store.Unverified, m.now.Add(5*time.Second), nil
		f.Transition.Progress.UnknownSince = m.now
	case 3:
		f.Transition.State, f.Transition.Recipients = store.Held, nil
	case 4:
		f.Transition.State = store.Failed
		f.Transition.Messages = []store.NewMessage{m.message()}
		f.Transition.Messages[0].Join = nil
		if c.Delivery.Kind == store.Send && !reaps {
			f.NotSent = 1
		}
	}
	return func() func() {
		err := s.Finish(m.t.Context(), f)
		return func() {
			if late {
				m.must(err, store.ErrUnavailable, store.ErrLeaseLost, store.ErrNotFound)
			} else {
				m.must(err, store.ErrUnavailable, store.ErrLeaseLost)
			}
			if errors.Is(err, store.ErrLeaseLost) && !m.reaps && !late {
				m.t.Errorf("the lease of %s is lost, and no one took it", c.Delivery.ID)
			}
			if err != nil {
				return
			}
			if !late {
				delete(m.leases, c.Delivery.ID)
			}
			m.day[lane] -= int64(f.NotSent)
			if f.Transition.State == store.Sent {
				m.sent[c.Delivery.ID]++
			}
			for _, x := range f.Transition.Messages {
				for _, d := range x.Deliveries {
					m.known[d.ID] = store.Queued
				}
			}
		}
	}
}

func (m *model) release() call {
	c := m.lease()
	if c == nil || m.reaps { // whether it came in time would be hard to tell
		return nothing
	}
	return func() func() {
		err := m.s.Release(m.t.Context(), m.now, []store.Lease{c.Lease})
		return func() {
			m.must(err, store.ErrUnavailable)
			if err != nil {
				return
			}
			delete(m.leases, c.Delivery.ID)
			if c.Delivery.Kind == store.Send {
				m.day[c.Delivery.Route.Lane] -= int64(c.Delivery.CountPending())
			}
		}
	}
}

func (m *model) act() call {
	var ids []store.ID
	for id := range m.known {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	m.r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	ids = ids[:min(len(ids), 3)]
	if len(ids) == 0 {
		return nothing
	}
	a := store.Action{Verb: []store.Verb{store.DoRetry, store.DoCancel, store.DoHold, store.DoRelease}[m.r.IntN(4)], Deliveries: ids,
		Now: m.now}
	for _, id := range ids {
		m.busy[id] = true
	}
	return func() func() {
		_, err := m.s.Act(m.t.Context(), a)
		return func() { m.must(err, store.ErrUnavailable, store.ErrNotFound) }
	}
}

func (m *model) change() call {
	l := m.route()
	until := m.now.Add(time.Duration(m.r.IntN(30)) * time.Second)
	c := store.LaneChange{PauseUntil: &until, Shorten: true, Reason: adapters.Text{English: "x"}}
	if m.r.IntN(2) == 0 {
		c = store.LaneChange{Cap: 2, CapUntil: until}
	}
	lane := m.r.IntN(2) == 0
	return func() func() {
		var err error
		if lane {
			err = m.s.ChangeLane(m.t.Context(), m.now, l.Lane, c)
		} else {
			err = m.s.ChangeConnection(m.t.Context(), m.now, l.Connection, store.ConnectionChange{PauseUntil: &until})
		}
		return func() { m.must(err, store.ErrUnavailable) }
	}
}

// node ends a node in one way or the other and begins it again.
func (m *model) node() call {
	i, how := m.r.IntN(2), m.r.IntN(3)
	m.reaps = true
	return func() func() {
		var err error
		switch how {
		case 0:
			_, err = m.s.Reap(m.t.Context(), m.now.Add(2*time.Minute))
		case 1:
			err = m.s.Leave(m.t.Context(), m.nodes[i], m.now)
		}
		return func() {
			m.must(err, store.ErrUnavailable, store.ErrNodeLost)
			m.failing.Store(0)
			for i := range m.nodes {
				n, _, err := m.s.Register(m.t.Context(), m.nodes[i].Name, m.now, m.now.Add(time.Minute))
				m.must(err)
				m.nodes[i] = n
			}
		}
	}
}

func (m *model) purgeOld() call {
	m.purge = true
	records := m.now.Add(time.Duration(1-m.r.IntN(20)) * time.Second)
	return func() func() {
		_, err := m.s.Purge(m.t.Context(), store.PurgeRequest{Now: m.now, Bodies: m.now.Add(time.Second), Records: records, Events: m.now})
		return func() { m.must(err, store.ErrUnavailable) }
	}
}
