package web

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/vault"
)

// acceptAll carries everything.
type acceptAll struct{}

func (acceptAll) Send(context.Context, adapters.Outgoing) (adapters.Receipt, error) {
	return adapters.Receipt{Status: 202}, nil
}
func (acceptAll) Check(adapters.Outgoing) error { return nil }
func (acceptAll) MaxSize() int64                { return 0 }
func (acceptAll) Probe(context.Context) error   { return nil }
func (acceptAll) Close() error                  { return nil }

const (
	testAdmin    = "anna@contoso.it"
	testOperator = "bruno@contoso.it"
	testPassword = "quattro parole a caso"
)

// world is a page over the API on a real store, and a browser without script.
type world struct {
	t        testing.TB
	store    *sqlite.Store
	people   *people.Service
	pages    *Server
	http     *httptest.Server
	admin    *store.Person
	operator *store.Person
	browser  *http.Client
	public   atomic.Value      // string: where passkeys work; none: nowhere
	made     map[string]string // ids of what screens are looked at with
}

// newWorld starts a page with an administrator and an operator.
func newWorld(t testing.TB, change ...func(*api.Options, *Options)) *world {
	t.Helper()
	w := newEmptyWorld(t, change...)
	w.admin = w.person(testAdmin, store.RoleAdmin)
	w.operator = w.person(testOperator, store.RoleOperator)
	return w
}

// newEmptyWorld starts a page on an empty store; the options may be changed before.
func newEmptyWorld(t testing.TB, change ...func(*api.Options, *Options)) *world {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	w := &world{t: t, made: map[string]string{}}
	keys, err := vault.Open(dir, func(string) string { return "" })
	w.must(err)
	w.store, err = sqlite.Open(ctx, sqlite.Options{Dir: dir, Server: true, Sealer: keys})
	w.must(err)
	t.Cleanup(func() { w.must(w.store.Close()) })
	conns, clients := registry.NewConnections(w.store), registry.NewClients(w.store)
	router := adapters.NewRouter(map[adapters.Provider]adapters.Factory{
		adapters.SMTP: func(*adapters.Connection) (adapters.Adapter, error) { return acceptAll{}, nil },
	})
	t.Cleanup(func() { w.must(router.Close()) })
	sub, err := submit.New(submit.Options{Store: w.store, Connections: conns, Adapters: router, Hostname: "mail.contoso.it", Events: true})
	w.must(err)
	w.people = people.New(people.Options{Store: w.store, PublicURL: func() string {
		public, _ := w.public.Load().(string)
		return public
	}})
	test := doctor.New(doctor.Options{Sender: func() doctor.Sender { return all.New(all.Options{}) }})
	o := api.Options{Store: w.store, Submit: sub, Connections: conns, Clients: clients, Sealer: keys, Hostname: "mail.contoso.it",
		People: w.people, WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Poll: 20 * time.Millisecond, Doctor: test,
		Installation: &doctor.Installation{Doctor: test, Records: w.store, Where: dir, Folder: dir,
			Free: func(string) (int64, error) { return 1 << 40, nil }}}
	po := Options{Hostname: "mail.contoso.it", Version: "1.2.3"}
	for _, f := range change {
		f(&o, &po)
	}
	w.pages = New(po)
	o.Pages = w.pages.Handler
	server, err := api.New(o)
	w.must(err)
	w.http = httptest.NewServer(server.Handler())
	t.Cleanup(w.http.Close)
	w.newBrowser()
	return w
}

// invitation is the token of a link for a person who has no password yet.
func (w *world) invitation() string {
	w.t.Helper()
	p, err := w.store.PersonByEmail(context.Background(), "carla@contoso.it")
	if err != nil {
		p, err = w.people.Add(context.Background(), store.Person{Email: "carla@contoso.it", Role: store.RoleOperator}, "")
		w.must(err)
	}
	link, err := w.people.Invite(context.Background(), p.ID)
	w.must(err)
	return link.Token.Reveal()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// hash is made once: it takes a tenth of a second on purpose.
var hash = func() func() (string, error) {
	type result struct {
		hash string
		err  error
	}
	made := make(chan result, 1)
	go func() {
		h, err := vault.NewHasher(1).Hash(context.Background(), testPassword)
		made <- result{h, err}
	}()
	return func() (string, error) {
		r := <-made
		made <- r
		return r.hash, r.err
	}
}()

func (w *world) person(email string, role store.Role) *store.Person {
	w.t.Helper()
	h, err := hash()
	w.must(err)
	p, err := w.store.PutPerson(context.Background(), store.Person{Email: email, Role: role, PasswordHash: h, CreatedAt: time.Now(),
		ChangedAt: time.Now()})
	w.must(err)
	return p
}

// fresh is a person as they are stored now.
func (w *world) fresh(id string) *store.Person {
	w.t.Helper()
	p, err := w.store.Person(context.Background(), id)
	w.must(err)
	return p
}

// connection stores one that belongs to owner; empty: to the administrators.
func (w *world) connection(name, from, owner string) *gateway.Connection {
	w.t.Helper()
	c := &gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.SMTP, From: from,
		Settings: &fallback.Settings{Host: "smtp.contoso.it", Login: "erp", Password: "geheim"}}}
	c.Owner = owner
	c, err := w.store.PutConnection(context.Background(), time.Now(), c)
	w.must(err)
	return c
}

// newBrowser forgets all cookies.
func (w *world) newBrowser() {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	w.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// signIn gives the browser a session of a person, without the slow password.
func (w *world) signIn(p *store.Person) {
	w.t.Helper()
	in, err := w.people.Begin(context.Background(), p, people.From{Address: "127.0.0.1", Program: "test"})
	w.must(err)
	u, err := url.Parse(w.http.URL)
	w.must(err)
	w.browser.Jar.SetCookies(u, []*http.Cookie{{Name: "postino_session", Value: in.Token.Reveal(), Path: "/"}})
}

// A shown answer is what the browser got.
type shown struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (w *world) do(method, path string, form url.Values, headers ...string) shown {
	w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(context.Background(), method, w.http.URL+path, body)
	w.must(err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	a, err := w.browser.Do(r)
	w.must(err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	w.must(err)
	return shown{w.t, a.StatusCode, a.Header, string(b)}
}

func (w *world) get(path string, headers ...string) shown {
	w.t.Helper()
	return w.do(http.MethodGet, path, nil, headers...)
}

// post sends a form: names and values in turn.
func (w *world) post(path string, pairs ...string) shown {
	w.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return w.do(http.MethodPost, path, form)
}

// want checks the status and that texts are shown, as a reader sees them.
func (a shown) want(status int, texts ...string) shown {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.text())
	}
	seen := a.text()
	for _, text := range texts {
		if !strings.Contains(seen, text) {
			a.t.Errorf("%q is not shown in:\n%s", text, seen)
		}
	}
	return a
}

// without checks that texts are nowhere in the answer.
func (a shown) without(texts ...string) shown {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			a.t.Errorf("%q is in the answer", text)
		}
	}
	return a
}

// to checks where the answer leads.
func (a shown) to(path string) shown {
	a.t.Helper()
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != path {
		a.t.Fatalf("status %d to %q, want %q: %s", a.status, got, path, a.text())
	}
	return a
}

var spaces = regexp.MustCompile(`\s+`)

// text is what a reader sees, with values of controls.
func (a shown) text() string {
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			b.WriteString(n.Data)
		}
		for _, at := range n.Attr {
			if at.Key == "value" || at.Key == "aria-label" || at.Key == "placeholder" {
				b.WriteString(" " + at.Val + " ")
			}
		}
	}
	return spaces.ReplaceAllString(b.String(), " ")
}
