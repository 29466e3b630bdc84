package submit

import (
	"context"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// What is refused for good is refused by the store: another process or node has
// added a connection or edited a client a moment ago.
func TestFreshRecords(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		head   string
		edit   func(t *testing.T, w *world, cl store.Client)
		broken bool
		want   string // code of the refusal; empty: taken
	}{
		{"connection added", "From: shop@shop.example\nTo: a@example.com", func(t *testing.T, w *world, _ store.Client) {
			put(t, w, smtpConn("shop", "shop@shop.example", nil))
		}, false, ""},
		{"connection named that was added", "From: erp@contoso.it\nTo: a@example.com\nX-Postino-Connection: shop",
			func(t *testing.T, w *world, _ store.Client) {
				put(t, w, smtpConn("shop", "shop@shop.example", nil))
			}, false, ""},
		{"sender allowed", "From: boss@contoso.it\nTo: a@example.com", func(t *testing.T, w *world, cl store.Client) {
			cl.Senders = nil
			if _, err := w.store.PutClient(ctx, cl); err != nil {
				t.Fatal(err)
			}
		}, false, ""},
		{"nothing changed", "From: shop@shop.example\nTo: a@example.com", nil, false, "no_route"},
		{"store away", "From: shop@shop.example\nTo: a@example.com", nil, true, "store_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			away := &awayStore{}
			w := newWorld(t, func(o *Options) {
				away.Store = o.Store
				o.Connections, o.Clients = registry.NewConnections(away), registry.NewClients(o.Store)
			}, smtpConn("main", "erp@contoso.it", nil))
			client, err := w.store.PutClient(ctx, store.Client{Name: "erp", Senders: []string{"erp@contoso.it", "shop@shop.example"}})
			if err != nil {
				t.Fatal(err)
			}
			send := func() *Refusal {
				_, ref := w.take(letter{head: c.head, Request: Request{Client: client}})
				return ref
			}
			if ref := send(); ref == nil || ref.Temporary() {
				t.Fatalf("before the edit: %v", ref)
			}
			away.broken = c.broken
			if c.edit != nil {
				c.edit(t, w, *client)
			}
			ref := send()
			if got := codeOf(ref); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.broken && !ref.Temporary() {
				t.Error("refused for good although the store could not be asked")
			}
		})
	}
}

func TestFreshCheckMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Clients = registry.NewClients(o.Store) }, graphConn("g", "erp@contoso.it", nil))
	client, err := w.store.PutClient(t.Context(), store.Client{Name: "erp", Senders: []string{"erp@contoso.it"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.CheckMail(t.Context(), client, programs.Peer{}, mailboxtest.Of("boss@contoso.it"), 0); err == nil ||
		AsRefusal(err).Temporary() {
		t.Fatalf("before the edit: %v", err)
	}
	edited := *client
	edited.Senders = []string{"*@contoso.it"}
	if _, err := w.store.PutClient(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if err := w.CheckMail(t.Context(), client, programs.Peer{}, mailboxtest.Of("boss@contoso.it"), 0); err != nil {
		t.Errorf("after the edit: %v", err)
	}
}

func put(t *testing.T, w *world, c *gateway.Connection) {
	t.Helper()
	if _, err := w.store.PutConnection(t.Context(), time.Now(), c); err != nil {
		t.Fatal(err)
	}
}

func codeOf(r *Refusal) string {
	if r == nil {
		return ""
	}
	return r.Code
}

// awayStore cannot be asked for changes while it is broken.
type awayStore struct {
	store.Store
	broken bool
}

func (a *awayStore) ConnectionsVersion(ctx context.Context) (int64, error) {
	if a.broken {
		return 0, store.ErrUnavailable
	}
	return a.Store.ConnectionsVersion(ctx)
}
