package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

var errTest = errors.New("a fault of the test")

func send(t testing.TB, s *Store, lane string, body []byte) ([]store.Submitted, error) {
	t.Helper()
	now := time.Now()
	return s.Submit(context.WithoutCancel(t.Context()),
		store.Submission{Now: now, Messages: []store.NewMessage{benchMessage(lane, body, now)}})
}

func node(t testing.TB, s *Store, name string) store.Node {
	t.Helper()
	n, _, err := s.Register(t.Context(), name, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A claim without an answer to its commit is not known to the node: what it may
// have leased comes back with the next claim.
func TestClaimInDoubt(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	s := open(t, Options{fault: func(st stage, c *pgx.Conn) error {
		if st != afterCommit || !armed.CompareAndSwap(true, false) {
			return nil
		}
		return errors.Join(errTest, c.Close(context.Background()))
	}})
	n := node(t, s, "n")
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	if _, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 1}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a claim in doubt gives %v", err)
	}
	st, err := s.Stats(t.Context(), time.Now())
	if err != nil || st.States[store.Sending] != 1 {
		t.Fatalf("the test has not made the doubt: %v, %v", st.States, err)
	}
	cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 1})
	if err != nil || len(cc) != 1 || cc[0].Delivery.Kind != store.Send || cc[0].Lease.No != 1 {
		t.Fatalf("the next claim gives %v, %v", cc, err)
	}
}

// A transaction that loses its connection before the commit begins again; one
// that is refused for good does not harm its neighbours.
func TestBeginsAgain(t *testing.T) {
	t.Parallel()
	var left atomic.Int32
	s := open(t, Options{fault: func(st stage, c *pgx.Conn) error {
		if st == beforeFlush && left.Add(-1) >= 0 {
			return errors.Join(errTest, c.Close(context.Background()))
		}
		return nil
	}})
	left.Store(3)
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	left.Store(1)
	if _, err := send(t, s, "l", make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(t.Context(), time.Now())
	if err != nil || st.States[store.Queued] != 2 {
		t.Fatalf("%v, %v", st.States, err)
	}
}

func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Acquire: 50 * time.Millisecond})
	var held []*pgxpool.Conn
	for range s.pool.Config().MaxConns {
		c, err := s.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	_, err := send(t, s, "l", []byte("x"))
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "pool_max_conns") {
		t.Errorf("without a connection: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ping without a connection: %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Errorf("with connections again: %v", err)
	}
}

// A corrupt body is never sent.
func TestCorruptBody(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	for _, c := range []struct {
		name string
		size int
		q    string
	}{
		{"inline, changed", 100, `UPDATE messages SET body = overlay(body placing '\x01'::bytea from 5) WHERE id = $1`},
		{"the head of an inline one, changed", 100, `UPDATE messages SET head = overlay(head placing '\x01'::bytea from 5) WHERE id = $1`},
		{"the head of chunks, changed", 3 << 20, `UPDATE messages SET head = overlay(head placing '\x01'::bytea from 5) WHERE id = $1`},
		{"inline, cut", 100, `UPDATE messages SET body = substr(body, 1, 50) WHERE id = $1`},
		{"chunks, changed", 3 << 20, `UPDATE chunks SET data = overlay(data placing '\x01'::bytea from 5) WHERE message = $1 AND no = 1`},
		{"chunks, one missing", 3 << 20, `DELETE FROM chunks WHERE message = $1 AND no = 1`},
		{"chunks, cut", 3 << 20, `UPDATE chunks SET data = substr(data, 1, 50) WHERE message = $1 AND no = 2`},
	} {
		out, err := send(t, s, "l", make([]byte, c.size))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.pool.Exec(t.Context(), c.q, [16]byte(out[0].ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Content(t.Context(), out[0].ID); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A wire leads to a server and can be cut: all connections end, and new ones
// are refused, as when the server restarts.
type wire struct {
	net.Listener
	mu    sync.Mutex
	to    string
	conns []net.Conn
	cut   bool
	done  sync.WaitGroup
}

func newWire(t testing.TB, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to}
	w.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			d, err := net.Dial("tcp", w.to)
			if err != nil || w.cut {
				_ = c.Close() // refused
				if d != nil {
					_ = d.Close()
				}
			} else {
				w.conns = append(w.conns, c, d)
				for _, pair := range [][2]net.Conn{{c, d}, {d, c}} {
					w.done.Go(func() {
						_, _ = io.Copy(pair[0], pair[1]) // ends with either of them
						_, _ = pair[0].Close(), pair[1].Close()
					})
				}
			}
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		w.set(true)
		_ = l.Close()
		w.done.Wait()
	})
	return w
}

// lead has new connections lead elsewhere; those that there are live on.
func (w *wire) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
}

// work submits from several goroutines until told to stop, and returns what was
// acknowledged.
func work(t testing.TB, s *Store, stop <-chan struct{}) (acked func() []store.ID, refused *atomic.Int64) {
	var mu sync.Mutex
	var ids []store.ID
	var wg sync.WaitGroup
	refused = new(atomic.Int64)
	for i := range 6 {
		wg.Go(func() {
			body := make([]byte, []int{100, 20_000, 200_000}[i%3])
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, err := send(t, s, "l", body)
				switch {
				case err == nil:
					mu.Lock()
					ids = append(ids, out[0].ID)
					mu.Unlock()
				case errors.Is(err, store.ErrUnavailable):
					refused.Add(1)
					pause.For(t.Context(), time.Millisecond)
				default:
					t.Errorf("a submission gives %v", err)
					return
				}
			}
		})
	}
	return func() []store.ID { wg.Wait(); return ids }, refused
}

// until asks again and again what must come true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !ok() {
		pause.For(ctx, 5*time.Millisecond)
		if ctx.Err() != nil {
			t.Fatalf("%s: never", what)
		}
	}
}

// outage submits while breaks are made, and asks for everything acknowledged.
func outage(t *testing.T, s *Store, breaks int, broken, mended func()) {
	t.Helper()
	stop := make(chan struct{})
	acked, refused := work(t, s, stop)
	for range breaks {
		before := refused.Load()
		broken()
		until(t, "submissions are refused", func() bool { return refused.Load() > before+5 })
		mended()
		until(t, "the service resumes", func() bool { return s.Ping(t.Context()) == nil })
		if _, err := send(t, s, "l", []byte("x")); err != nil {
			until(t, "submissions are taken again", func() bool { _, err := send(t, s, "l", []byte("x")); return err == nil })
		}
	}
	close(stop)
	ids := acked()
	for _, id := range ids {
		c, err := s.Content(t.Context(), id)
		if err != nil {
			t.Fatalf("acknowledged and lost: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Everything stored is given to someone exactly once.
	n := node(t, s, "n")
	seen := map[store.ID]bool{}
	for {
		cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: time.Now(), Max: 64})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cc {
			if seen[c.Delivery.ID] {
				t.Errorf("delivery %s was claimed twice", c.Delivery.ID)
			}
			seen[c.Delivery.ID] = true
		}
		if len(cc) == 0 {
			break
		}
	}
	if len(seen) < len(ids) {
		t.Errorf("%d acknowledged, %d claimed", len(ids), len(seen))
	}
	t.Logf("%d acknowledged, %d stored, %d refused", len(ids), len(seen), refused.Load())
}

func TestConnectionLost(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(schema(t))
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, u.Host)
	u.Host = w.Addr().String()
	s := open(t, Options{URL: u.String()})
	outage(t, s, 3, func() { w.set(true) }, func() { w.set(false) })
}

// A claim that waits says so when the database goes away.
func TestAwayWhileWaiting(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(schema(t))
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, u.Host)
	u.Host = w.Addr().String()
	s := open(t, Options{URL: u.String()})
	n := node(t, s, "n")
	ended := make(chan error, 1)
	start := time.Now()
	go func() {
		_, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: start, Max: 1, Wait: time.Hour})
		ended <- err
	}()
	until(t, "the claim waits", func() bool { return waits(s) })
	w.set(true)
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the claim gives %v", err)
	}
	w.set(false)
}

// A server that ends as in a crash, of its own cluster.
func TestServerCrash(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") != "1" {
		t.Skip("makes a PostgreSQL cluster and crashes it: set POSTINO_PEERS=1")
	}
	dir, err := os.MkdirTemp("", "postino-crash-*") // t.TempDir is closed to the user postgres
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	peer := func(verb string) string {
		cmd := exec.Command("../../../testdata/peers/postgres.sh", verb)
		cmd.Env = append(os.Environ(), "POSTGRES_DIR="+dir)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("postgres.sh %s: %v %s", verb, err, said.String())
		}
		return strings.TrimSpace(string(out))
	}
	t.Cleanup(func() {
		peer("stop")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := open(t, Options{URL: peer("start")})
	outage(t, s, 3, func() { peer("crash") }, func() { peer("start") })
}
