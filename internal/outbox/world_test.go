package outbox

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// fakeAdapter answers what answer says and notes every call.
type fakeAdapter struct {
	conn   *gateway.Connection
	answer func(n int, out adapters.Outgoing) (adapters.Receipt, error)
	verify func(n int) (adapters.Verdict, error)

	mu       sync.Mutex
	sends    []string // recipients of each call
	verifies int
	inFlight int
	most     int
	latency  time.Duration
	takes    int    // recipients; 0: any number
	ended    func() // a call was ended from the caller's side
}

func (f *fakeAdapter) Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	f.mu.Lock()
	f.inFlight++
	f.most = max(f.most, f.inFlight)
	f.sends = append(f.sends, strings.Join(mailboxtest.Strings(out.Addresses()), " "))
	n := len(f.sends)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inFlight--
		f.mu.Unlock()
	}()
	if f.latency > 0 && pause.For(ctx, f.latency) != nil {
		if f.ended != nil {
			f.ended()
		}
		return adapters.Receipt{}, &adapters.Error{Class: adapters.Unknown}
	}
	if f.answer == nil {
		return adapters.Receipt{Status: 202}, nil
	}
	return f.answer(n, out)
}

var _ adapters.Verifier = (*fakeAdapter)(nil)

func (f *fakeAdapter) Verify(context.Context, adapters.VerifyRequest) (adapters.Verdict, adapters.Receipt, error) {
	f.mu.Lock()
	f.verifies++
	n := f.verifies
	f.mu.Unlock()
	if f.verify == nil {
		return adapters.CannotTell, adapters.Receipt{}, nil
	}
	v, err := f.verify(n)
	return v, adapters.Receipt{}, err
}

func (f *fakeAdapter) Check(adapters.Outgoing) error { return nil }

func (f *fakeAdapter) MaxSize() int64 { return 0 }

func (f *fakeAdapter) MaxRecipients() int { return f.takes }

func (f *fakeAdapter) Probe(context.Context) error { return nil }

func (f *fakeAdapter) Close() error { return nil }

func (f *fakeAdapter) calls() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.sends) }

// world is a store with an outbox on it.
type world struct {
	wish  []mime.Notify // NOTIFY of the recipients
	t     *testing.T
	store store.Store
	fakes map[string]*fakeAdapter // by connection name
	conns map[string]*gateway.Connection
	stop  func()

	giveUp, warn time.Duration // of what is submitted; 72 h and 4 h
}

func (w *world) Adapter(c *adapters.Connection) (adapters.Adapter, error) {
	if f := w.fakes[c.Name]; f != nil {
		return f, nil
	}
	return nil, errors.New("no such adapter")
}

// newWorld runs inside a synctest bubble: time is fake, the store is real.
func newWorld(t *testing.T, conns ...*gateway.Connection) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Server: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, giveUp: 72 * time.Hour, warn: 4 * time.Hour, fakes: map[string]*fakeAdapter{},
		conns: map[string]*gateway.Connection{}}
	for _, c := range conns {
		stored, err := st.PutConnection(t.Context(), time.Now(), c)
		if err != nil {
			t.Fatal(err)
		}
		w.conns[c.Name] = stored
		w.fakes[c.Name] = &fakeAdapter{conn: stored}
	}
	return w
}

func conn(name string, change func(*gateway.Connection)) *gateway.Connection {
	c := &gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.Graph, From: name + "@contoso.it",
		Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c", ManagedIdentity: true}}}}
	zero := 0
	c.Limits.PerMinute = &zero
	if change != nil {
		change(c)
	}
	return c
}

func (w *world) run(change func(*Options)) *Outbox {
	w.t.Helper()
	o := Options{Store: w.store, Adapters: w, Node: "n1", Log: slog.New(slog.DiscardHandler), Events: true,
		Notify: Notify{Hostname: "mx.contoso.it"}}
	if change != nil {
		change(&o)
	}
	b, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}
	return b
}

func (w *world) close() {
	if w.stop != nil {
		w.stop()
	}
	if err := w.store.Close(); err != nil {
		w.t.Errorf("Close: %v", err)
	}
}

func (w *world) submit(name string, rcpts ...string) store.ID {
	w.t.Helper()
	return w.put(name, time.Time{}, rcpts...)
}

// schedule submits a message that is not to leave before.
func (w *world) schedule(name string, at time.Time) store.ID {
	w.t.Helper()
	return w.put(name, at, "scheduled@y.it")
}

func (w *world) put(name string, notBefore time.Time, rcpts ...string) store.ID {
	w.t.Helper()
	now := time.Now()
	next := now
	if !notBefore.IsZero() {
		next = notBefore
	}
	c := w.conns[name]
	m := store.NewMessage{Message: store.Message{MessageID: "<" + store.NewID().String() + "@contoso.it>", Subject: "Fattura è",
		From:       mailboxtest.Of(c.From),
		EntryPoint: "go", Class: "transactional", Tag: "t",
		Metadata: store.Metadata{"order": "42"}, NotBefore: notBefore, Envelope: mime.Envelope{From: mailboxtest.Of("erp@contoso.it")}},
		Head: []byte("From: " + c.From + "\r\nTo: " + strings.Join(rcpts, ", ") + "\r\nSubject: x\r\nMessage-ID: <x@contoso.it>\r\n\r\n"),
		Body: mime.Bytes([]byte("ciao\r\n"))}
	d := store.NewDelivery{Route: store.Route{Connection: c.ID, Lane: c.Lane(mailboxtest.Of(c.From)), Limits: c.EffectiveLimits()},
		NextAt:    next,
		ExpiresAt: next.Add(w.giveUp), WarnAt: next.Add(w.warn)}
	for _, r := range rcpts {
		m.Envelope.Recipients = append(m.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(r), Notify: w.wish})
	}
	d.Recipients = m.Envelope.Recipients
	m.Deliveries = []store.NewDelivery{d}
	out, err := w.store.Submit(w.t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out[0].Deliveries[0]
}

// await lets fake time pass until the delivery is in one of the states.
func (w *world) await(id store.ID, within time.Duration, states ...store.State) *store.Delivery {
	w.t.Helper()
	end := time.Now().Add(within)
	for {
		d, err := w.store.Delivery(w.t.Context(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range states {
			if d.State == s {
				return d
			}
		}
		if time.Now().After(end) {
			w.t.Fatalf("after %v still %v (%v), want %v", within, d.State, d.Error, states)
		}
		pause.For(context.Background(), 100*time.Millisecond)
	}
}

func scenario(t *testing.T, name string, run func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, run)
	})
}
