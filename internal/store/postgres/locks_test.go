package postgres

import (
	"context"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// lockLane keeps a lane locked, as a node that is stopped in the middle of a
// transaction does.
func lockLane(t *testing.T, s *Store, lane string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.opt.URL)
	if err != nil {
		t.Fatal(err)
	}
	free := sync.OnceFunc(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(free)
	for _, q := range []string{`BEGIN`, `SELECT FROM lanes WHERE key = '` + lane + `' FOR UPDATE`} {
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return free
}

// A lane that someone keeps locked keeps no one else's mail from being taken
// in, and its own only as long as it is locked.
func TestLockedLaneIsAlone(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	for _, l := range []string{"a", "b"} {
		if _, err := send(t, s, l, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	free := lockLane(t, s, "a")
	var waiting sync.WaitGroup
	for range 6 { // more than there are writers
		waiting.Go(func() {
			if _, err := send(t, s, "a", []byte("x")); err != nil {
				t.Errorf("mail of the locked lane: %v", err)
			}
		})
	}
	pause.For(t.Context(), 100*time.Millisecond) // so that they have the writers
	start := time.Now()
	for range 4 {
		if _, err := send(t, s, "b", []byte("x")); err != nil {
			t.Errorf("mail of another lane: %v", err)
		}
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("mail of another lane took %v", took)
	}
	free()
	waiting.Wait()
}

// A claim does not wait for a locked lane while another has work.
func TestClaimBesideLockedLane(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	n := node(t, s, "n")
	for _, l := range []string{"a", "b"} {
		if _, err := send(t, s, l, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 9}); err != nil || len(cc) != 2 {
		t.Fatal(len(cc), err)
	}
	if _, err := send(t, s, "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	free := lockLane(t, s, "a")
	defer free()
	claimed := make(chan time.Time, 1)
	go func() {
		cc, err := s.Claim(context.WithoutCancel(t.Context()), store.ClaimRequest{Node: n, Now: time.Now(), Max: 9, Wait: 30 * time.Second})
		if err != nil || len(cc) != 1 || cc[0].Delivery.Route.Lane != "b" {
			t.Errorf("claimed %d, %v", len(cc), err)
		}
		claimed <- time.Now()
	}()
	pause.For(t.Context(), 500*time.Millisecond)
	start := time.Now()
	if _, err := send(t, s, "b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if took := (<-claimed).Sub(start); took > 3*time.Second {
		t.Errorf("claimed after %v", took)
	}
}

// A valve is a wire to a server with connections that can be frozen: nothing
// passes any more, and nothing ends.
type valve struct {
	net.Listener
	mu    sync.Mutex
	pairs []*frozenPair
}

type frozenPair struct {
	client, server net.Conn
	frozen         atomic.Bool
	left           atomic.Int64 // bytes that may still go to the server; negative: any number
}

func newValve(t *testing.T) (v *valve, through, direct string) {
	t.Helper()
	direct = schema(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v = &valve{Listener: l}
	to := u.Host
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			p := &frozenPair{client: c, server: d}
			p.left.Store(-1)
			v.mu.Lock()
			v.pairs = append(v.pairs, p)
			v.mu.Unlock()
			go p.pump(d, c, true)
			go p.pump(c, d, false)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		v.each(func(p *frozenPair) { p.client.Close(); p.server.Close() })
	})
	u.Host = l.Addr().String()
	return v, u.String(), direct
}

func (v *valve) each(f func(*frozenPair)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.pairs {
		f(p)
	}
}

func (p *frozenPair) pump(dst, src net.Conn, up bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if p.frozen.Load() {
			return
		}
		if err != nil {
			dst.Close()
			return
		}
		if left := p.left.Load(); up && left >= 0 {
			if int64(n) > left {
				if _, err := dst.Write(buf[:left]); err == nil {
					p.frozen.Store(true)
				}
				return
			}
			p.left.Store(left - int64(n))
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A heartbeat on a connection that died without a word ends, so that the next
// one finds another connection.
func TestHeartbeatOnDeadConnection(t *testing.T) {
	t.Parallel()
	v, through, _ := newValve(t)
	s := open(t, Options{URL: through})
	n := node(t, s, "n")
	v.each(func(p *frozenPair) { p.frozen.Store(true) })
	start := time.Now()
	err := s.Heartbeat(t.Context(), n, time.Now(), time.Now().Add(time.Hour))
	if took := time.Since(start); err == nil || took > 2*beat {
		t.Errorf("ended after %v: %v", took, err)
	}
	until(t, "a heartbeat on another connection", func() bool {
		return s.Heartbeat(t.Context(), n, time.Now(), time.Now().Add(time.Hour)) == nil
	})
}

// A node that is cut off in the middle of what it writes keeps its lanes
// locked for a while, not for ever.
func TestCutOffWhileWriting(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") != "1" {
		t.Skip("takes half a minute: set POSTINO_PEERS=1")
	}
	v, through, direct := newValve(t)
	var armed atomic.Bool
	cut := make(chan struct{})
	a := open(t, Options{URL: through, Inline: 1 << 20, fault: func(st stage, _ *pgx.Conn) error {
		if st == beforeFlush && armed.CompareAndSwap(true, false) {
			v.each(func(p *frozenPair) { p.left.Store(450_000) }) // within the second message of the pipeline
			close(cut)
		}
		return nil
	}})
	b := open(t, Options{URL: direct})
	if _, err := send(t, a, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		now := time.Now()
		sub := store.Submission{Now: now}
		for range 200 {
			m := benchMessage("l", []byte("x"), now)
			for range 40 {
				m.Deliveries[0].Recipients = append(m.Deliveries[0].Recipients,
					mime.Recipient{Address: mailboxtest.Of("somebody@example.com")})
			}
			sub.Messages = append(sub.Messages, m)
		}
		if _, err := a.Submit(ctx, sub); err == nil {
			t.Error("a node that is cut off was told that its mail is stored")
		}
	}()
	<-cut
	start := time.Now()
	until(t, "another node takes mail of the lane", func() bool {
		_, err := send(t, b, "l", []byte("x"))
		return err == nil
	})
	t.Logf("after %v", time.Since(start).Round(time.Millisecond))
	cancel()
	v.each(func(p *frozenPair) { p.client.Close(); p.server.Close() })
	<-done
}

// However many large bodies are read at once, the others get a connection.
func TestManyLargeBodies(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Acquire: time.Second})
	n := node(t, s, "n")
	out, err := send(t, s, "l", make([]byte, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	for range 60 {
		reading.Go(func() {
			c, err := s.Content(context.WithoutCancel(t.Context()), out[0].ID)
			if err != nil {
				t.Errorf("a body: %v", err)
				return
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for range 5 {
		if err := s.Heartbeat(t.Context(), n, time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Errorf("a heartbeat: %v", err)
		}
	}
	reading.Wait()
}
