package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// TestModel runs random calls in random mixtures, several in one transaction,
// some of which fail, and compares what the store keeps accounts of with what
// its rows say.
func TestModel(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 13} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range 40 {
				m.round()
			}
			m.drain()
		})
	}
}

// A model is what the callers of a store know.
type model struct {
	t            *testing.T
	r            *rand.Rand
	s, other     *Store // other is another process
	now          time.Time
	nodes        []store.Node
	known        map[store.ID]store.State // deliveries that were acknowledged, as last seen
	purged       map[store.ID]bool
	leases       map[store.ID]*store.Claimed // the callers' own
	sent         map[store.ID]int
	day          map[string]int64 // recipients that count, by lane
	failing      atomic.Int64     // the commit that fails, counted from now on
	late         []*store.Claimed // leases that were lost
	waiting      *waitingClaim
	reaps, purge bool // in this round
	busy         map[store.ID]bool
}

type waitingClaim struct {
	effect func()
	cancel context.CancelFunc
	done   chan struct{}
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 0)), now: now(), known: map[store.ID]store.State{}, //nolint:gosec // the same every time
		purged: map[store.ID]bool{}, leases: map[store.ID]*store.Claimed{}, sent: map[store.ID]int{}, day: map[string]int64{}}
	m.s = open(t, Options{fault: func() error {
		if m.failing.Add(-1) == 0 {
			return syscall.EIO
		}
		return nil
	}})
	m.other = open(t, Options{Dir: m.s.dir})
	for i := range 2 {
		n, _, err := m.s.Register(t.Context(), fmt.Sprint("n", i), m.now, m.now.Add(time.Minute))
		m.must(err)
		m.nodes = append(m.nodes, n)
	}
	return m
}

// must ends the test on an error other than those that are part of the game.
func (m *model) must(err error, but ...error) {
	m.t.Helper()
	for _, e := range but {
		if errors.Is(err, e) {
			return
		}
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// A call runs in a goroutine of its own and returns what the caller learns.
type call func() (learn func())

// round makes some calls in one batch and checks everything.
func (m *model) round() {
	m.reaps, m.purge, m.busy = false, false, map[store.ID]bool{}
	if m.r.IntN(3) == 0 {
		m.now = m.now.Add(time.Duration(m.r.IntN(20)) * time.Second)
	}
	var calls []call
	claims := 0
	for range 1 + m.r.IntN(6) {
		switch m.r.IntN(16) {
		case 0, 1, 2, 3:
			calls = append(calls, m.submit(m.s))
		case 4, 5, 6:
			claims++
		case 7, 8, 9:
			calls = append(calls, m.finish(m.s))
		case 10:
			calls = append(calls, m.release())
		case 11:
			calls = append(calls, m.act())
		case 12:
			calls = append(calls, m.change())
		case 13:
			calls = append(calls, m.node())
		case 14:
			calls = append(calls, m.fail())
		case 15:
			calls = append(calls, m.purgeOld())
		}
	}
	for range claims { // they run last in any case, and so learn last
		calls = append(calls, m.claim(m.s, 1+m.r.IntN(5)))
	}
	if m.r.IntN(3) == 0 {
		m.startWaiting()
	}
	if m.r.IntN(8) == 0 {
		m.failing.Store(2 + m.r.Int64N(3)) // the first one is that of together
	}
	m.together(calls)
	m.failing.Store(0)
	m.stopWaiting()
	m.check()
	switch m.r.IntN(6) {
	case 0:
		m.submit(m.other)()()
	case 1:
		m.claim(m.other, 3)()()
	case 2:
		m.finish(m.other)()()
	case 3:
		const most = 4
		before := len(m.leases)
		m.claim(m.s, most)()()
		if len(m.leases) < before+most {
			m.nothingLeft()
		}
	}
	m.check()
}

// together has the writer take all calls at once, in this order.
func (m *model) together(calls []call) {
	entered, release, open := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		open <- m.s.do(m.t.Context(), func(*tx) error { close(entered); <-release; return nil })
	}()
	<-entered
	learn := make([]func(), len(calls))
	var done []chan struct{}
	for i, c := range calls {
		end, before := make(chan struct{}), m.s.w.Len()
		done = append(done, end)
		go func() { defer close(end); learn[i] = c() }()
		for ended := false; !ended && m.s.w.Len() == before; {
			select {
			case <-end:
				ended = true
			default:
				runtime.Gosched()
			}
		}
	}
	close(release)
	m.must(<-open)
	for i, end := range done {
		<-end
		learn[i]()
	}
}

func (m *model) startWaiting() {
	ctx, cancel := context.WithCancel(m.t.Context())
	w := &waitingClaim{cancel: cancel, done: make(chan struct{})}
	m.waiting = w
	node, now := m.nodes[m.r.IntN(2)], m.now
	go func() {
		defer close(w.done)
		got, err := m.s.Claim(ctx, store.ClaimRequest{Node: node, Now: now, Max: 3, Wait: time.Hour})
		w.effect = m.claimed(got, err)
	}()
	for !m.s.Changed.Awaited() {
		select {
		case <-w.done:
			return
		default:
			runtime.Gosched()
		}
	}
}

// stopWaiting ends the claim that waits, if one does, and learns what it got.
func (m *model) stopWaiting() {
	if m.waiting != nil {
		m.waiting.cancel()
		<-m.waiting.done
		m.waiting.effect()
		m.waiting = nil
		m.now = m.now.Add(time.Second) // its clock went on
	}
}

// drain ends all that goes on and sends what is left.
func (m *model) drain() {
	m.reaps, m.purge, m.busy, m.late = false, false, map[store.ID]bool{}, nil
	for range len(m.leases) {
		m.finish(m.s)()()
	}
	for _, l := range lanesOfModel() {
		m.must(m.s.ChangeLane(m.t.Context(), m.now, l.Lane, store.LaneChange{PauseUntil: &m.now, Shorten: true}))
	}
	for _, c := range []string{"c0", "c1"} {
		m.must(m.s.ChangeConnection(m.t.Context(), m.now, c, store.ConnectionChange{PauseUntil: &m.now}))
	}
	_, err := m.s.Act(m.t.Context(), store.Action{Verb: store.DoRelease, Filter: store.Filter{States: []store.State{store.Held}}, Now: m.now})
	m.must(err)
	m.nodes[0], _, err = m.s.Register(m.t.Context(), "n0", m.now, m.now.Add(1000*time.Hour))
	m.must(err)
	for end := m.now.Add(30 * 24 * time.Hour); m.now.Before(end); {
		got, err := m.s.Claim(m.t.Context(), store.ClaimRequest{Node: m.nodes[0], Now: m.now, Max: 7})
		m.must(err)
		for _, c := range got {
			m.sent[c.Delivery.ID]++
			m.must(m.s.Finish(m.t.Context(), benchFinish(c, m.now)))
		}
		if len(got) == 0 {
			m.nothingLeft()
			m.now = m.now.Add(6 * time.Hour)
		}
	}
	m.rows()
	for id := range m.known {
		d, err := m.s.Delivery(m.t.Context(), id)
		m.must(err)
		if !d.State.Final() || (d.State == store.Sent) != (m.sent[id] == 1) {
			m.t.Errorf("%s is %v in the end and was sent %d times", id, d.State, m.sent[id])
		}
	}
}

func lanesOfModel() []store.Route {
	return []store.Route{
		{Connection: "c0", Lane: "three at once", Limits: adapters.LaneLimits{Concurrency: 3}},
		{Connection: "c0", Lane: "five a minute", Limits: adapters.LaneLimits{PerMinute: 5}},
		{Connection: "c1", Lane: "thirty a day", Limits: adapters.LaneLimits{RecipientsPerDay: 30}},
		{Connection: "c1", Lane: "free"},
	}
}

func (m *model) route() store.Route { l := lanesOfModel(); return l[m.r.IntN(len(l))] }

func (m *model) message() store.NewMessage {
	var rcpts []mime.Recipient
	for i := range 1 + m.r.IntN(3) {
		rcpts = append(rcpts, mime.Recipient{Address: mailboxtest.Of(fmt.Sprintf("r%d@example.com", i+m.r.IntN(3)*10))})
	}
	nm := benchMessage("", []byte("body"), m.now)
	nm.ID, nm.Client, nm.Envelope.Recipients = store.NewID(), fmt.Sprint("client", m.r.IntN(2)), rcpts
	nm.Deliveries[0] = store.NewDelivery{ID: store.NewID(), Route: m.route(), Recipients: rcpts, ExpiresAt: m.now.Add(1000 * time.Hour),
		Held: m.r.IntN(12) == 0}
	if m.r.IntN(4) == 0 {
		nm.Deliveries[0].NextAt = m.now.Add(time.Duration(m.r.IntN(60)) * time.Second)
	}
	if m.r.IntN(6) == 0 {
		nm.Join = &store.Join{Key: fmt.Sprint(nm.Client, nm.Deliveries[0].Route.Lane), Until: m.now.Add(5 * time.Second)}
	} else if m.r.IntN(3) == 0 {
		second := nm.Deliveries[0]
		second.ID, second.Route, second.Held = store.NewID(), m.route(), false
		nm.Deliveries = append(nm.Deliveries, second)
	}
	return nm
}

func (m *model) submit(s *Store) call {
	sub := store.Submission{Now: m.now}
	for range 1 + m.r.IntN(2) {
		sub.Messages = append(sub.Messages, m.message())
	}
	if m.r.IntN(4) == 0 {
		k := fmt.Sprint(m.r.IntN(12))
		sub.Idempotency = &store.Idempotency{Client: "c", Key: k, Request: []byte(k), ExpiresAt: m.now.Add(time.Hour)}
	}
	sub.Events = []store.NewEvent{{Type: "test", At: m.now}}
	return func() func() {
		out, err := s.Submit(m.t.Context(), sub)
		return func() {
			m.must(err, store.ErrUnavailable)
			for i, o := range out {
				for j, id := range o.Deliveries {
					if _, ok := m.known[id]; !ok && !m.purged[id] {
						if o.Joined || o.Replayed || id != sub.Messages[i].Deliveries[j].ID {
							m.t.Fatalf("an answer names %s, which no one has seen: %+v", id, o)
						}
						m.known[id] = store.Queued
					}
				}
			}
		}
	}
}
