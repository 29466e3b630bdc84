package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/tokens/credential"
)

// A fakeIssuer is an Entra and a Google token endpoint on one TLS server.
type fakeIssuer struct {
	*httptest.Server
	tokens  atomic.Int64 // token requests
	mu      sync.Mutex
	life    int
	respond func(w http.ResponseWriter, r *http.Request) bool // true: answered
	forms   []map[string]string
}

func newFakeIssuer(t testing.TB) *fakeIssuer {
	f := &fakeIssuer{life: 3599}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeIssuer) set(life int, respond func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life, f.respond = life, respond
}

func (f *fakeIssuer) form(i int) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms[i]
}

func (f *fakeIssuer) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration") {
		tenant := strings.Split(r.URL.Path, "/")[1]
		_ = json.NewEncoder(w).Encode(map[string]string{
			"token_endpoint":         f.URL + "/" + tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": f.URL + "/" + tenant + "/oauth2/v2.0/authorize",
			"issuer":                 f.URL + "/" + tenant + "/v2.0",
		})
		return
	}
	n := f.tokens.Add(1)
	_ = r.ParseForm()
	form := map[string]string{"path": r.URL.Path}
	for k := range r.PostForm {
		form[k] = r.PostForm.Get(k)
	}
	f.mu.Lock()
	f.forms = append(f.forms, form)
	life, respond := f.life, f.respond
	f.mu.Unlock()
	if respond != nil && respond(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":%d,"access_token":"token-%d"}`, life, n)
}

// answerJSON is a respond function with a fixed answer.
func answerJSON(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	}
}

// A fakeClock runs in real time from a start that a test can move.
type fakeClock struct{ moved atomic.Int64 }

func (c *fakeClock) now() time.Time          { return time.Now().Add(time.Duration(c.moved.Load())) }
func (c *fakeClock) advance(d time.Duration) { c.moved.Add(int64(d)) }

func newTestCache(t testing.TB, f *fakeIssuer, opt Options) (*Cache, *fakeClock) {
	clock := &fakeClock{}
	if opt.Now == nil {
		opt.Now = clock.now
	}
	if opt.HTTPClient == nil {
		opt.HTTPClient = f.Client()
	}
	c := NewCache(opt)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c, clock
}

const testSecret = "S3cr3t~of.the-app"

func (f *fakeIssuer) graph() *adapters.Connection {
	return &adapters.Connection{Name: "Ufficio", Provider: adapters.Graph, From: "erp@contoso.it",
		Settings: &graph.Settings{Entra: credential.Entra{
			Tenant: "contoso.it", ClientID: "11111111-2222-3333-4444-555555555555", ClientSecret: testSecret, AuthorityURL: f.URL}}}
}

func sourceOf(t testing.TB, c *Cache, conn *adapters.Connection, a adapters.Audience) adapters.TokenSource {
	t.Helper()
	s, err := c.TokenSource(conn, a)
	if err != nil {
		t.Fatalf("TokenSource: %v", err)
	}
	return s
}

func mustToken(t testing.TB, s adapters.TokenSource) string {
	t.Helper()
	tok, err := s.Token(context.Background())
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	return tok
}

// quietLog is for servers with clients that fail on purpose.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }
