package watch

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/postgres"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/store/storetest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// onBoth runs a test on both stores; PostgreSQL where a server is named.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Server: true, Sealer: storetest.Sealer()})
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, st))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		st, err := postgres.Open(t.Context(), postgres.Options{URL: schema(t), Dir: t.TempDir(), Sealer: storetest.Sealer()})
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, st))
	})
}

// schema makes an empty schema for one test and returns the URL that leads to it.
func schema(t *testing.T) string {
	t.Helper()
	server := os.Getenv("POSTINO_TEST_POSTGRES")
	if server == "" {
		t.Skip("POSTINO_TEST_POSTGRES names no server: see testdata/peers/postgres.sh")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := "watch_" + strings.ToLower(store.NewID().String())
	run := func(q string) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Error(err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	run(`CREATE SCHEMA ` + name)
	t.Cleanup(func() { run(`SET client_min_messages = warning; DROP SCHEMA ` + name + ` CASCADE`) })
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// A world is a store with its watcher and a clock that stands still.
type world struct {
	*testing.T
	store       store.Store
	connections *registry.Connections
	peers       *Peers

	mu          sync.Mutex
	now         time.Time
	listeners   []ListenerCertificate
	credentials map[string]store.CredentialEnd // by name
	refuses     map[string]error               // by name, in place of credentials
	events      int64                          // seen
}

func newWorld(t *testing.T, st store.Store) *world {
	w := &world{T: t, store: st, connections: registry.NewConnections(st), peers: NewPeers(), now: time.Now().UTC().Truncate(time.Second),
		credentials: map[string]store.CredentialEnd{}, refuses: map[string]error{}}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// watcher is one node.
func (w *world) watcher(node string, mail ...string) *Watcher {
	w.Helper()
	x, err := New(Options{Store: w.store, Connections: w.connections, Node: node, Hostname: "mail.contoso.it", Peers: w.peers, Now: w.clock,
		Settings: Settings{Mail: mailboxtest.List(mail...), Language: "it", Days: []int{30, 14, 7, 3, 1}, Budget: 80, Waiting: time.Hour},
		Credentials: func(_ context.Context, c *gateway.Connection) (store.CredentialEnd, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.credentials[c.Name], w.refuses[c.Name]
		},
		Listeners: func() []ListenerCertificate {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Clone(w.listeners)
		}})
	if err != nil {
		w.Fatal(err)
	}
	return x
}

func (w *world) put(c gateway.Connection) *gateway.Connection {
	w.Helper()
	out, err := w.store.PutConnection(w.Context(), w.clock(), &c)
	if err != nil {
		w.Fatal(err)
	}
	w.connections.Invalidate()
	return out
}

func smtp(name string) gateway.Connection {
	return gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.SMTP,
		From:     strings.ToLower(name) + "@contoso.it",
		Settings: &fallback.Settings{Host: strings.ToLower(name) + ".example", Login: name, Password: "segreto"}}}
}

func overGraph(name, app string) gateway.Connection {
	return gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.Graph,
		From:     strings.ToLower(name) + "@contoso.it",
		Settings: &graph.Settings{Entra: credential.Entra{Tenant: "contoso.it", ClientID: app, ClientSecret: "segreto"}}}}
}

func (w *world) round(x *Watcher) {
	w.Helper()
	if err := x.Round(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// news are the events since the last call, as "type name days".
func (w *world) news() (out []string) {
	w.Helper()
	list, err := w.store.Events(w.Context(), w.events, 1000, "", nil)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range list {
		w.events = e.Seq
		var d struct {
			Kind, Name string
			DaysLeft   *int `json:"days_left"`
			Message    mime.Text
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			w.Fatal(err)
		}
		line := strings.TrimPrefix(e.Type, "alert.") + " " + d.Kind + " " + d.Name
		if d.DaysLeft != nil {
			line += fmt.Sprint(" ", *d.DaysLeft)
		}
		if d.Message.In("it") == d.Message.In("en") || d.Message.String() == "" {
			w.Errorf("%s: the message has no Italian: %v", line, d.Message)
		}
		out = append(out, line)
	}
	slices.Sort(out) // alerts of one round come in the order of ids
	return out
}

func (w *world) wantNews(what string, want ...string) {
	w.Helper()
	if got := w.news(); !slices.Equal(got, want) {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A letter is mail about an alert.
type letter struct {
	via, subject, body string
	to                 []string
	message            store.Message
}

func (w *world) mails() (out []letter) {
	w.Helper()
	page, err := w.store.List(w.Context(), store.ListRequest{Filter: store.Filter{Tag: tag}, Oldest: true})
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range page.Entries {
		c, err := w.store.Connection(w.Context(), e.Delivery.Route.Connection)
		if err != nil {
			w.Fatal(err)
		}
		content, err := w.store.Content(w.Context(), e.Message.ID)
		if err != nil {
			w.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
		if err != nil {
			w.Fatal(err)
		}
		if err := content.Close(); err != nil {
			w.Error(err)
		}
		l := letter{via: c.Name, subject: e.Message.Subject, body: string(b), message: e.Message}
		for _, r := range e.Delivery.Recipients {
			l.to = append(l.to, r.Address.String())
		}
		if e.Delivery.Route.Position <= len(c.Fallback) {
			w.Errorf("%s may fail over to the connection that it is about", e.Message.Subject)
		}
		out = append(out, l)
	}
	return out
}

func leaf(from, to time.Time) *x509.Certificate {
	return &x509.Certificate{NotBefore: from, NotAfter: to}
}
