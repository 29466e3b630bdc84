package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
)

// fakeAdapter carries everything up to a size.
type fakeAdapter struct{}

func (fakeAdapter) Send(context.Context, adapters.Outgoing) (adapters.Receipt, error) {
	return adapters.Receipt{Status: 202}, nil
}
func (fakeAdapter) Check(adapters.Outgoing) error { return nil }
func (fakeAdapter) MaxSize() int64                { return 0 }
func (fakeAdapter) Probe(context.Context) error   { return nil }
func (fakeAdapter) Close() error                  { return nil }

// world is the API over a real store.
type world struct {
	t      testing.TB
	dir    string
	store  *sqlite.Store
	server *Server
	http   *httptest.Server
	client *store.Client
	key    string // of client, all its scopes
	admin  string // key
}

func newWorld(t testing.TB, change func(*Options), limits ...func(*submit.Options)) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{t: t, dir: t.TempDir()}
	keys, err := vault.Open(w.dir, func(string) string { return "" })
	w.must(err)
	w.store, err = sqlite.Open(ctx, sqlite.Options{Dir: w.dir, Server: true, Sealer: keys})
	w.must(err)
	t.Cleanup(func() { w.must(w.store.Close()) })
	conns, clients := registry.NewConnections(w.store), registry.NewClients(w.store)
	router := adapters.NewRouter(map[adapters.Provider]adapters.Factory{
		adapters.SMTP:  func(*adapters.Connection) (adapters.Adapter, error) { return fakeAdapter{}, nil },
		adapters.Graph: func(*adapters.Connection) (adapters.Adapter, error) { return fakeAdapter{}, nil },
	})
	t.Cleanup(func() { w.must(router.Close()) })
	_, err = w.store.PutConnection(ctx, time.Now(), &gateway.Connection{Connection: adapters.Connection{
		Name: "Ufficio", Provider: adapters.SMTP, From: "*@contoso.it",
		Settings: &fallback.Settings{Host: "smtp.contoso.it", Login: "erp", Password: "geheim"}}})
	w.must(err)
	w.client, err = w.store.PutClient(ctx, store.Client{Name: "erp", SecretHash: vault.HashGenerated("pc_secret"), CreatedAt: time.Now()})
	w.must(err)
	w.key = w.addKey(w.client.ID, clientScopes()...)
	w.admin = w.addKey("", ScopeAdmin)
	so := submit.Options{Store: w.store, Connections: conns, Adapters: router, Hostname: "mail.contoso.it", Events: true}
	for _, limit := range limits {
		limit(&so)
	}
	sub, err := submit.New(so)
	w.must(err)
	o := Options{Store: w.store, Submit: sub, Connections: conns, Clients: clients, Sealer: keys, Hostname: "mail.contoso.it",
		WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Poll: 20 * time.Millisecond,
		Doctor: doctor.New(doctor.Options{Sender: func() doctor.Sender { return all.New(all.Options{}) }})}
	o.Installation = &doctor.Installation{Doctor: o.Doctor, Records: w.store, Where: w.dir, Folder: w.dir,
		Free: func(string) (int64, error) { return 1 << 40, nil }}
	if change != nil {
		change(&o)
	}
	w.server, err = New(o)
	w.must(err)
	w.http = httptest.NewServer(w.server.Handler())
	t.Cleanup(w.http.Close)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addKey(client string, scopes ...string) string {
	w.t.Helper()
	k := vault.NewKey("pk_")
	_, err := w.store.PutAPIKey(context.Background(), store.APIKey{Client: client, Name: "test " + strings.Join(scopes, " "),
		Hash: vault.HashKey(k), Scopes: scopes, CreatedAt: time.Now()})
	w.must(err)
	return k.Reveal()
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request; headers are pairs, key "" sends no credentials.
func (w *world) do(key, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var r io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case string:
		r, contentType = strings.NewReader(b), "application/json"
	case io.Reader:
		r = b
	default:
		doc, err := json.Marshal(b)
		w.must(err)
		r, contentType = bytes.NewReader(doc), "application/json"
	}
	req, err := http.NewRequest(method, w.http.URL+path, r)
	w.must(err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := w.http.Client().Do(req)
	w.must(err)
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	w.must(err)
	return answer{res.StatusCode, res.Header, out}
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

func (w *world) want(a answer, status int) answer {
	w.t.Helper()
	if a.status != status {
		w.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (w *world) messages() int {
	w.t.Helper()
	st, err := w.store.Stats(context.Background(), time.Now())
	w.must(err)
	n := int64(0)
	for _, c := range st.States {
		n += c
	}
	return int(n)
}

func note(subject string) map[string]any {
	return map[string]any{"from": "ERP <erp@contoso.it>", "to": []string{"Anna Rossi <anna@example.com>"}, "subject": subject, "text": "Ciao"}
}

func TestSendAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := note("Città è qui")
	m["cc"] = []string{"bruno@example.com"}
	m["bcc"] = []string{"capo@contoso.it"}
	m["html"] = `<p>Ciao <img src="cid:logo"></p>`
	m["attachments"] = []map[string]any{{"filename": "logo.png", "content_id": "logo", "content": "iVBORw0KGgo="},
		{"filename": "perché.txt", "content": "cGVyY2jDqQ=="}}
	m["headers"] = map[string]string{"X-Order": "42"}
	m["tag"] = "fatture"
	a := w.want(w.do(w.key, "POST", "/v1/messages", m), http.StatusAccepted)
	var got Accepted
	a.into(t, &got)
	if got.Connection.Name != "Ufficio" || len(got.Recipients) != 3 || len(got.Deliveries) != 1 ||
		a.header.Get("Location") != "/v1/messages/"+got.ID {
		t.Fatalf("%s", a.body)
	}
	var detail MessageDetail
	w.want(w.do(w.key, "GET", "/v1/messages/"+got.ID, nil), http.StatusOK).into(t, &detail)
	if detail.Subject != "Città è qui" || detail.EntryPoint != "api" || detail.EnvelopeFrom != "erp@contoso.it" ||
		detail.Deliveries[0].State != store.Queued || detail.Client != w.client.ID {
		t.Errorf("%+v", detail)
	}
	if c := detail.Conversation; !strings.Contains(c, "\nPOST /v1/messages (application/json, ") ||
		!strings.Contains(c, " -> 202 x-request-id "+a.header.Get("X-Request-Id")+"\n") || strings.Contains(c, w.key) {
		t.Errorf("%q", c)
	}
	raw := w.want(w.do(w.key, "GET", "/v1/messages/"+got.ID+"/raw", nil), http.StatusOK)
	if s := string(raw.body); strings.Contains(s, "capo@contoso.it") || !strings.Contains(s, "X-Order: 42\r\n") || !strings.Contains(s,
		got.MessageID) {
		t.Errorf("%s", s)
	}
	var page MessagePage
	w.want(w.do(w.key, "GET", "/v1/messages?tag=fatture&state=queued&state=held&connection=ufficio&message_id="+strings.Trim(got.MessageID,
		"<>"), nil), http.StatusOK).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].Message.ID != got.ID {
		t.Errorf("%+v", page)
	}
	w.want(w.do(w.key, "GET", "/v1/messages/"+got.ID+"/attempts", nil), http.StatusOK)
	w.want(w.do(w.addKey(w.other(), clientScopes()...), "GET", "/v1/messages/"+got.ID, nil), http.StatusNotFound)
	w.want(w.do(w.admin, "GET", "/v1/messages/"+got.ID, nil), http.StatusOK)
}

// other is a second client.
func (w *world) other() string {
	w.t.Helper()
	c, err := w.store.PutClient(context.Background(), store.Client{Name: fmt.Sprintf("other-%d", time.Now().UnixNano())})
	w.must(err)
	return c.ID
}

func TestOpenAPIGolden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const file = "testdata/openapi.json"
	if os.Getenv("POSTINO_UPDATE") != "" {
		w.must(os.WriteFile(file, w.server.spec, 0o644))
	}
	want, err := os.ReadFile(file)
	w.must(err)
	if !bytes.Equal(want, w.server.spec) {
		t.Error("the OpenAPI document has changed: look at the difference after POSTINO_UPDATE=1 go test, and commit it when it is meant")
	}
	if got := w.do("", "GET", "/openapi.json", nil); !bytes.Equal(got.body, want) {
		t.Error("what is served is another document")
	}
	if got := w.do("", "GET", "/openapi.yaml", nil); !strings.HasPrefix(string(got.body), "components:") {
		t.Errorf("%.200s", got.body)
	}
}

// A shownConnection is what tests read of a connection that the API shows.
type shownConnection struct {
	ID       string
	Revision int64
	State    view.ConnectionState
	Lane     *view.Lane
}
