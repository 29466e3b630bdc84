package submit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
	"github.com/postino-mail/postino/tokens/credential"
)

// world is a Submitter over a real store and the real adapters, which are asked
// for nothing but Check and their limits.
type world struct {
	*Submitter
	t     testing.TB
	store store.Store
	conns map[string]*gateway.Connection // as stored, by name
}

func newWorld(t testing.TB, change func(*Options), conns ...*gateway.Connection) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), change, conns...)
}

// newWorldIn makes the world in a folder that may hold a store already.
func newWorldIn(t testing.TB, dir string, change func(*Options), conns ...*gateway.Connection) *world {
	t.Helper()
	keys, err := vault.Open(dir, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Server: true, Sealer: keys})
	if err != nil {
		t.Fatal(err)
	}
	cache := tokens.NewCache(tokens.Options{})
	router := adapters.NewRouter(map[adapters.Provider]adapters.Factory{
		adapters.Graph: graph.Factory(graph.Options{Tokens: cache}),
		adapters.Gmail: gmail.Factory(gmail.Options{Tokens: cache}),
		adapters.SMTP:  fallback.Factory(fallback.Options{Tokens: cache}),
	})
	t.Cleanup(func() {
		cache.Close()
		if err := router.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: st, conns: map[string]*gateway.Connection{}}
	for _, c := range conns {
		if w.conns[c.Name], err = st.PutConnection(t.Context(), time.Now(), c); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Store: st, Connections: registry.NewConnections(st), Adapters: router, Hostname: "mx.contoso.it"}
	if change != nil {
		change(&o)
	}
	if w.Submitter, err = New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

// A connection of each kind; change may be nil.
func graphConn(name, from string, change func(*gateway.Connection)) *gateway.Connection {
	return changed(&gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.Graph, From: from,
		Settings: &graph.Settings{Entra: credential.Entra{Tenant: "contoso.onmicrosoft.com", ClientID: "c", ClientSecret: "s"}}}}, change)
}

func gmailConn(name, from string, change func(*gateway.Connection)) *gateway.Connection {
	return changed(&gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.Gmail, From: from,
		Settings: &gmail.Settings{Google: credential.Google{ServiceAccountFile: "account.json"}}}}, change)
}

func smtpConn(name, from string, change func(*gateway.Connection)) *gateway.Connection {
	return changed(&gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.SMTP, From: from,
		Settings: &fallback.Settings{Host: "smtp.aruba.it", Port: 465, Encryption: fallback.EncryptionTLS, Login: "login@aruba.it",
			Password: "s"}}}, change)
}

func changed(c *gateway.Connection, change func(*gateway.Connection)) *gateway.Connection {
	if change != nil {
		change(c)
	}
	return c
}

// A letter is a request as a test writes it.
type letter struct {
	head   string // header lines, "\n" between; From, To and Subject when empty
	body   string
	sender string // envelope; "<>" is the null sender
	to     []string
	Request
}

// take submits the letter.
func (w *world) take(l letter) (Result, *Refusal) {
	w.t.Helper()
	b, r := w.request(l)
	defer closed(w.t, b)
	res, err := w.Submit(w.t.Context(), r)
	return res, AsRefusal(err)
}

func (w *world) request(l letter) (*spool.Buffer, Request) {
	w.t.Helper()
	head := l.head
	if head == "" {
		head = "From: erp@contoso.it\nTo: anna@example.com\nSubject: Fattura"
	}
	body := l.body
	if body == "" {
		body = "ciao\r\n"
	}
	b, err := spool.Fill(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body), w.store.SpoolDir(), 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	r := l.Request
	r.Message, r.EntryPoint = b, "smtp"
	r.Envelope.From = mailboxtest.Of(l.sender)
	switch l.sender {
	case "":
		r.Envelope.From = mailboxtest.Of("erp@contoso.it")
	case "<>":
		r.Envelope.From = mime.Mailbox{}
	}
	for _, a := range l.to {
		r.Envelope.Recipients = append(r.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(a)})
	}
	return b, r
}

func closed(t testing.TB, b *spool.Buffer) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// stored returns what the store has of a message.
func (w *world) stored(id store.ID) (*store.Message, []store.Delivery) {
	w.t.Helper()
	m, err := w.store.Message(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	dd, err := w.store.Deliveries(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return m, dd
}

// raw is the stored bytes.
func (w *world) raw(id store.ID) string {
	w.t.Helper()
	c, err := w.store.Content(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, c.Size())
	if _, err := c.ReadAt(b, 0); err != nil && int64(len(b)) != c.Size() {
		w.t.Fatal(err)
	}
	return string(b)
}

func recipients(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("r%04d@example.com", i))
	}
	return out
}
