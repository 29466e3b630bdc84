package smtpd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/store/storetest"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/tokens/credential"
)

// fakeRoute is an adapter that only says what it carries.
type fakeRoute struct{ max int64 }

func (f *fakeRoute) Send(context.Context, adapters.Outgoing) (adapters.Receipt, error) {
	return adapters.Receipt{}, nil
}

func (f *fakeRoute) Check(out adapters.Outgoing) error {
	if f.max > 0 && out.Message.Size() > f.max {
		return &adapters.Error{Class: adapters.Permanent, Code: "too_large", TooLarge: true,
			Message: adapters.Text{English: "too large"}}
	}
	return nil
}
func (f *fakeRoute) MaxSize() int64              { return f.max }
func (f *fakeRoute) Probe(context.Context) error { return nil }
func (f *fakeRoute) Close() error                { return nil }

func (f *fakeRoute) Adapter(*adapters.Connection) (adapters.Adapter, error) { return f, nil }

// taken is a message that the store acknowledged.
type taken struct {
	store.Message
	raw string
}

// recorder is a store that remembers what it stored, and fails when told.
type recorder struct {
	store.Store
	mu     sync.Mutex
	got    []taken
	fail   error
	forget bool          // keep nothing
	hold   chan struct{} // when set, Submit waits for it
	in     chan struct{} // when set, told that Submit waits
}

func (r *recorder) Submit(ctx context.Context, s store.Submission) ([]store.Submitted, error) {
	r.mu.Lock()
	fail, hold, in, forget := r.fail, r.hold, r.in, r.forget
	r.mu.Unlock()
	if forget {
		return r.Store.Submit(ctx, s)
	}
	if fail != nil {
		return nil, fail
	}
	if hold != nil {
		in <- struct{}{}
		<-hold
	}
	var raws []string
	for _, m := range s.Messages {
		n := m.Body.Size()
		if n > 1<<20 {
			n = 1 << 10
		}
		b, err := io.ReadAll(io.NewSectionReader(m.Body, 0, n))
		if err != nil {
			return nil, err
		}
		raws = append(raws, string(m.Head)+string(b))
	}
	out, err := r.Store.Submit(ctx, s)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, m := range s.Messages {
			r.got = append(r.got, taken{m.Message, raws[i]})
		}
	}
	return out, err
}

func (r *recorder) messages() []taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]taken(nil), r.got...)
}

// A world is a server over a real store.
type world struct {
	t       testing.TB
	store   *recorder
	server  *Server
	data    string
	stop    context.CancelFunc
	done    chan error
	clients *registry.Clients

	programs *programs.Recorder
}

type setup struct {
	listeners []config.Listener
	limits    Limits
	clients   []store.Client // SecretHash is the secret itself here
	max       int64
	fail      error
	log       io.Writer
	options   func(*Options)
}

func newWorld(t testing.TB, s setup) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Server: true, Sealer: storetest.Sealer()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: &recorder{Store: st, fail: s.fail}, data: t.TempDir(), done: make(chan error, 1),
		programs: programs.New(st, slog.New(slog.DiscardHandler))}
	zero := 0
	c := &gateway.Connection{Connection: adapters.Connection{Name: "Ufficio", Provider: adapters.Graph, From: "erp@contoso.it",
		Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c", ManagedIdentity: true}}},
		Policy: gateway.Policy{Default: gateway.DefaultUnrouted}}
	c.Limits.PerMinute = &zero
	if _, err := st.PutConnection(t.Context(), time.Now(), c); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.clients {
		if _, err := st.PutClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	sub, err := submit.New(submit.Options{Store: w.store, Connections: registry.NewConnections(st), Adapters: &fakeRoute{s.max},
		Hostname: "gw.contoso.it", JoinWindow: -1})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.listeners) == 0 {
		s.listeners = []config.Listener{{}}
	}
	for i := range s.listeners {
		if s.listeners[i].Address == "" {
			s.listeners[i].Address = "127.0.0.1:0"
		}
	}
	if s.limits.AuthDelay == 0 {
		s.limits.AuthDelay = time.Millisecond
	}
	w.clients = registry.NewClients(w.store)
	o := Options{Hostname: "gw.contoso.it", Listeners: s.listeners, Submit: sub, Clients: w.clients, Programs: w.programs,
		SpoolDir: st.SpoolDir(), DataDir: w.data,
		Limits:      s.limits,
		CheckSecret: func(hash, secret string) bool { return hash != "" && hash == secret }}
	if s.log != nil {
		o.Log = slog.New(slog.NewTextHandler(s.log, nil))
	}
	if s.options != nil {
		s.options(&o)
	}
	if w.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() { w.done <- w.server.Serve(ctx) }()
	t.Cleanup(func() {
		w.shut()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// shut stops the server and waits for it.
func (w *world) shut() {
	w.stop()
	if err, open := <-w.done; open {
		close(w.done)
		if err != nil {
			w.t.Errorf("Serve: %v", err)
		}
	}
}

func (w *world) addr() string { return w.server.Addresses()[0] }

func (w *world) dial() net.Conn {
	w.t.Helper()
	c, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", w.addr())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// listenerOf reads a listener as a configuration file has it.
func listenerOf(text string, err *error) (l config.Listener) {
	meta, derr := toml.Decode(text, &l)
	if derr == nil && len(meta.Undecoded()) > 0 {
		derr = fmt.Errorf("unknown: %v", meta.Undecoded())
	}
	*err = derr
	return l
}
