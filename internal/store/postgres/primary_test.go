package postgres

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store"
)

// Of servers that all say that they are the primary, the one with the highest
// timeline is believed.
func TestAdmit(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	a, b := identity{system: "7", timeline: 1}, identity{system: "7", timeline: 2}
	for name, c := range map[string]struct {
		seen []identity
		next identity
		want error
	}{
		"the first":                  {nil, a, nil},
		"the same again":             {[]identity{a}, a, nil},
		"promoted":                   {[]identity{a}, b, nil},
		"the old one comes back":     {[]identity{a, b}, a, errOld},
		"a standby":                  {nil, identity{system: "7", timeline: 1, standby: true}, errStandby},
		"another cluster":            {[]identity{a}, identity{system: "8", timeline: 5}, errOther},
		"one that does not say":      {[]identity{b}, identity{}, nil},
		"said after one that didn't": {[]identity{{}}, a, nil},
	} {
		s.primary.mu.Lock()
		s.primary.is = identity{} // what the server of the tests is does not matter here
		s.primary.mu.Unlock()
		for _, is := range c.seen {
			if err := s.primary.admit(is); err != nil {
				t.Fatalf("%s: %+v: %v", name, is, err)
			}
		}
		if err := s.primary.admit(c.next); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", name, err, c.want)
		}
	}
}

// A node that starts while an old primary is up may see that one first: it has no
// pool yet when it finds the new one.
func TestPromotedWhileOpening(t *testing.T) {
	t.Parallel()
	p := primary{s: &Store{opt: Options{Log: slog.New(slog.DiscardHandler)}}, lent: map[*pgxpool.Conn]time.Time{}}
	for timeline := range uint32(2) {
		if err := p.admit(identity{system: "7", timeline: timeline + 1}); err != nil {
			t.Fatal(err)
		}
	}
	p.closeOld() // as the one that runs beside the login
}

// A call that waits on a server that was replaced ends, in doubt, and the pool
// gives no connection to it any more.
func TestOldPrimaryIsLeft(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	defer lockLane(t, s, "l")()
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Replay(t.Context(), time.Now(), store.Idempotency{Client: "c", Key: "k"}) // waits for nothing
		_, serr := send(t, s, "l", []byte("x"))
		waiting <- errors.Join(err, serr)
	}()
	until(t, "the submission waits", func() bool {
		s.primary.mu.Lock()
		defer s.primary.mu.Unlock()
		return len(s.primary.lent) > 0
	})
	s.primary.mu.Lock()
	is := s.primary.is
	s.primary.mu.Unlock()
	is.timeline++
	if err := s.primary.admit(is); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the submission that waited gives %v", err)
	}
	// The server of the test has the lower timeline now: whatever is asked, it is
	// not asked of it.
	if _, err := send(t, s, "l", []byte("x")); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errOld) {
		t.Errorf("a submission gives %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, errOld) || !strings.Contains(err.Error(), "old primary") {
		t.Errorf("ping gives %v", err)
	}
}

// A commit after its wait for the standby was called off is not acknowledged.
func TestNotReplicated(t *testing.T) {
	t.Parallel()
	warn := func(s, code string) *pgconn.Notice {
		return &pgconn.Notice{SeverityUnlocalized: s, Code: code}
	}
	s := open(t, Options{})
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	c := conn.Conn().PgConn()
	for _, n := range []struct {
		notice *pgconn.Notice
		want   bool
	}{{warn("WARNING", "01000"), false}, {warn("NOTICE", "00000"), true}, {warn("WARNING", "25P01"), true}} {
		replicated := watchCommit(c)
		noteWarning(c, n.notice)
		if replicated() != n.want {
			t.Errorf("%+v: replicated %v", n.notice, !n.want)
		}
	}
	if err := outward(errNotReplicated()); !errors.Is(err, store.ErrUnavailable) || again(errNotReplicated()) {
		t.Errorf("it gives %v", err)
	}
}

// What a new primary has forgotten of this node's leases is verified there
// before anything is sent again; what it has not, and what was never sent, is
// left alone.
func TestRecall(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	n := node(t, s, "n")
	for _, lane := range []string{"finished", "under way", "released", "kept"} {
		if _, err := send(t, s, lane, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 8})
	if err != nil || len(cc) != 4 {
		t.Fatal(cc, err)
	}
	by := map[string]store.Claimed{}
	for _, c := range cc {
		by[c.Delivery.Route.Lane] = c
	}
	if err := s.Finish(t.Context(), benchFinish(by["finished"], time.Now())); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), time.Now(), []store.Lease{by["released"].Lease}); err != nil {
		t.Fatal(err)
	}
	// As a standby that was a little behind has them.
	for _, lane := range []string{"finished", "under way"} {
		if _, err := s.pool.Exec(t.Context(), `UPDATE deliveries SET state = 0, epoch = 0, attempts = 0, node = '', kind = '' WHERE id = $1`,
			[16]byte(by[lane].Delivery.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), `DELETE FROM attempts`); err != nil {
		t.Fatal(err)
	}
	s.recent.moved(identity{standbys: "b", commit: "on"})
	if err := s.recall(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	got := map[string]store.State{}
	for lane, c := range by {
		d, err := s.Delivery(t.Context(), c.Delivery.ID)
		if err != nil {
			t.Fatal(err)
		}
		got[lane] = d.State
	}
	want := map[string]store.State{"finished": store.Unverified, "under way": store.Unverified, "released": store.Queued,
		"kept": store.Sending}
	for lane, state := range want {
		if got[lane] != state {
			t.Errorf("%s: %v, not %v", lane, got[lane], state)
		}
	}
	// The call that was under way ends: what it knows is better than a question.
	if err := s.Finish(t.Context(), benchFinish(by["under way"], time.Now())); err != nil {
		t.Error(err)
	}
	d, err := s.Delivery(t.Context(), by["under way"].Delivery.ID)
	if err != nil || d.State != store.Sent {
		t.Errorf("%v, %v", d, err)
	}
	a, err := s.Attempts(t.Context(), by["under way"].Delivery.ID)
	if err != nil || len(a) != 1 || a[0].No != 1 || a[0].Class != "accepted" {
		t.Errorf("its ledger: %+v, %v", a, err)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	conf, _, err := poolConfig("postgres://u@a:1,b:2,[::1]:3/x?sslmode=prefer&target_session_attrs=read-write")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hosts(conf.ConnConfig) {
		got = append(got, h.Host)
		if len(h.Fallbacks) != 1 || h.Fallbacks[0].Host != h.Host || h.TLSConfig == nil || h.Fallbacks[0].TLSConfig != nil {
			t.Errorf("%s: %+v", h.Host, h.Fallbacks)
		}
	}
	if !slices.Equal(got, []string{"a", "b", "::1"}) {
		t.Errorf("%v", got)
	}
}
