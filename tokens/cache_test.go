package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/tokens/credential"
)

func TestTenThousandCallersCauseOneRequest(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.set(3599, func(http.ResponseWriter, *http.Request) bool { close(arrived); <-release; return false })
	var hits atomic.Int64
	c, _ := newTestCache(t, f, Options{Metrics: Metrics{Hit: func(adapters.Audience) { hits.Add(1) }}})
	var wg sync.WaitGroup
	got := make(chan string, 10_000)
	for i := range 10_000 {
		conn := f.graph()
		conn.Name = fmt.Sprint("connection ", i%100) // 100 connections with one credential
		s := sourceOf(t, c, conn, adapters.AudienceGraph)
		wg.Go(func() {
			tok, err := s.Token(context.Background())
			if err != nil {
				t.Errorf("Token: %v", err)
			}
			got <- tok
		})
	}
	<-arrived
	close(release)
	wg.Wait()
	close(got)
	for tok := range got {
		if tok != "token-1" {
			t.Fatalf("got %q", tok)
		}
	}
	if n := f.tokens.Load(); n != 1 {
		t.Errorf("%d token requests", n)
	}
	mustToken(t, sourceOf(t, c, f.graph(), adapters.AudienceGraph))
	if hits.Load() == 0 {
		t.Error("no hit counted")
	}
}

func TestKeysKeepCredentialsApart(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	c, _ := newTestCache(t, f, Options{})
	seen := map[string]string{}
	for name, change := range map[string]func(*graph.Settings){
		"base":   func(*graph.Settings) {},
		"tenant": func(g *graph.Settings) { g.Tenant = "fabrikam.it" },
		"client": func(g *graph.Settings) { g.ClientID = "99999999-2222-3333-4444-555555555555" },
		"secret": func(g *graph.Settings) { g.ClientSecret = "another" },
		"cloud":  func(g *graph.Settings) { g.Cloud = "china" },
	} {
		conn := f.graph()
		change(graph.SettingsOf(conn))
		tok := mustToken(t, sourceOf(t, c, conn, adapters.AudienceGraph))
		for other, o := range seen {
			if o == tok {
				t.Errorf("%s shares its token with %s", name, other)
			}
		}
		seen[name] = tok
		if again := mustToken(t, sourceOf(t, c, conn, adapters.AudienceGraph)); again != tok {
			t.Errorf("%s: second call fetched again", name)
		}
	}
}

func TestAuthorityIsPartOfTheKey(t *testing.T) {
	t.Parallel()
	a := &adapters.Connection{Provider: adapters.Graph,
		Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c", ClientSecret: "s"}}}
	b := a.Clone()
	graph.SettingsOf(b).AuthorityURL = "https://other.example"
	wa, _ := wantOf(a, adapters.AudienceGraph)
	wb, _ := wantOf(b, adapters.AudienceGraph)
	if wa.key == wb.key || wa.key.authority != "https://login.microsoftonline.com/" {
		t.Errorf("%+v and %+v", wa.key, wb.key)
	}
	if strings.Contains(fmt.Sprintf("%+v", wa.key), `"s"`) {
		t.Error("the key keeps the secret")
	}
}

func TestCancelledCallerDoesNotHurtOthers(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.set(3599, func(http.ResponseWriter, *http.Request) bool { close(arrived); <-release; return false })
	c, _ := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	ctx, cancel := context.WithCancel(context.Background())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := s.Token(ctx); first <- err }()
	<-arrived
	go func() { _, err := s.Token(context.Background()); second <- err }()
	cancel()
	err := <-first
	if e := adapters.AsError(err); e.Class != adapters.Transient || !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled caller got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the other caller got %v", err)
	}
	if n := f.tokens.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	gone, cancelled := context.WithCancel(context.Background())
	cancelled()
	other := f.graph()
	graph.SettingsOf(other).Tenant = "other.it"
	if _, err := sourceOf(t, c, other, adapters.AudienceGraph).Token(gone); err == nil || f.tokens.Load() != 1 {
		t.Error("a caller that was gone before it came caused a request")
	}
}

func TestRefreshAheadInTheBackground(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	requests := make(chan Request, 10)
	c, clock := newTestCache(t, f, Options{Metrics: Metrics{Request: func(r Request) { requests <- r }}})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	mustToken(t, s)
	if r := <-requests; r.Background || r.Class != adapters.Accepted || r.Issuer != "entra" || r.Audience != adapters.AudienceGraph {
		t.Errorf("%+v", r)
	}
	clock.advance(40 * time.Minute)
	if tok := mustToken(t, s); tok != "token-1" || f.tokens.Load() != 1 {
		t.Errorf("at 40 minutes: %s after %d requests", tok, f.tokens.Load())
	}
	clock.advance(11 * time.Minute) // under 12 minutes are left
	if tok := mustToken(t, s); tok != "token-1" {
		t.Errorf("the caller waited for %s", tok)
	}
	if r := <-requests; !r.Background {
		t.Errorf("%+v", r)
	}
	if tok := mustToken(t, s); tok != "token-2" || f.tokens.Load() != 2 {
		t.Errorf("after the refresh: %s, %d requests", tok, f.tokens.Load())
	}
}

func TestOldTokenServesWhileRenewalFails(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	c, clock := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	mustToken(t, s)
	f.set(3599, answerJSON(503, `{"error":"temporarily_unavailable","error_codes":[90033]}`))
	clock.advance(58*time.Minute + 30*time.Second) // callers wait for the new one now
	for range 5 {
		if tok := mustToken(t, s); tok != "token-1" {
			t.Errorf("got %s", tok)
		}
	}
	if n := f.tokens.Load(); n != 2 {
		t.Errorf("%d requests, want the first and one failed", n)
	}
	clock.advance(2 * time.Minute)
	if _, err := s.Token(context.Background()); adapters.ClassOf(err) != adapters.Transient {
		t.Errorf("after its end: %v", err)
	}
}

func TestShortLivedTokenIsNotFetchedOnEveryCall(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	f.set(240, nil)
	c, clock := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	for range 3 {
		for range 50 {
			mustToken(t, s)
		}
		clock.advance(time.Minute)
	}
	if n := f.tokens.Load(); n != 1 {
		t.Errorf("%d requests in 3 minutes of a token of 4", n)
	}
}

func TestFailuresAreRemembered(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	f.set(3599, answerJSON(401, `{"error":"invalid_client","error_codes":[7000215],"trace_id":"aaaa-bbbb"}`))
	c, clock := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	ask := func() *adapters.Error {
		_, err := s.Token(context.Background())
		return adapters.AsError(err)
	}
	for range 100 {
		if e := ask(); e == nil || e.Class != adapters.Auth || e.ProviderCode != "AADSTS7000215" || e.RequestID != "aaaa-bbbb" {
			t.Fatalf("%+v", e)
		}
	}
	if n := f.tokens.Load(); n != 1 {
		t.Fatalf("%d requests for 100 calls", n)
	}
	wait := 5 * time.Second
	for i := int64(2); i < 12; i++ { // 5, 10, 20 ... 300, 300
		clock.advance(wait - time.Second)
		_ = ask()
		if f.tokens.Load() != i-1 {
			t.Fatalf("request %d came before its delay of %v", i, wait)
		}
		clock.advance(2*time.Second + wait/10)
		_ = ask()
		if f.tokens.Load() != i {
			t.Fatalf("request %d did not come after %v", i, wait)
		}
		wait = min(wait*2, 5*time.Minute)
	}
	c.Forget(f.graph())
	f.set(3599, nil)
	mustToken(t, s)
}

func TestRequestLoopIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	f.set(3599, answerJSON(400, `{"error":"invalid_grant","error_codes":[50196]}`))
	c, clock := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	_, err := s.Token(context.Background())
	if e := adapters.AsError(err); e.Class != adapters.Throttled {
		t.Fatalf("%+v", e)
	}
	c.Forget(f.graph())
	clock.advance(4 * time.Minute)
	_, err = s.Token(context.Background())
	if e := adapters.AsError(err); f.tokens.Load() != 1 || e.RetryAfter < 30*time.Second || e.RetryAfter > 2*time.Minute {
		t.Errorf("%d requests, %+v", f.tokens.Load(), e)
	}
}

func TestRetryAfterOfTheIssuerHolds(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	f.set(3599, func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	c, clock := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	_, err := s.Token(context.Background())
	if e := adapters.AsError(err); e.Class != adapters.Throttled || e.RetryAfter != 120*time.Second {
		t.Fatalf("%+v", e)
	}
	clock.advance(110 * time.Second)
	if _, err := s.Token(context.Background()); err == nil || f.tokens.Load() != 1 {
		t.Errorf("asked again after 110 s: %d, %v", f.tokens.Load(), err)
	}
}

func TestRenewFetchesOnceAndThenHasAFloor(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	c, clock := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	first := mustToken(t, s)
	var wg sync.WaitGroup
	for range 200 { // every send in flight gets its 401
		wg.Go(func() {
			if tok, err := s.Renew(context.Background(), first); err != nil || tok != "token-2" {
				t.Errorf("Renew: %s, %v", tok, err)
			}
		})
	}
	wg.Wait()
	for range 100 { // and the new one is refused as well
		_, err := s.Renew(context.Background(), "token-2")
		if e := adapters.AsError(err); e.Class != adapters.Auth || e.Code != "token_refused" || e.Hint.In("it") == "" {
			t.Fatalf("%+v", e)
		}
	}
	if n := f.tokens.Load(); n != 2 {
		t.Fatalf("%d requests", n)
	}
	clock.advance(renewFloor + time.Second)
	if tok, err := s.Renew(context.Background(), "token-2"); err != nil || tok != "token-3" {
		t.Fatalf("after the floor: %s, %v", tok, err)
	}
	clock.advance(renewFloor + time.Second) // a renewed one refused again: the floor has grown
	if _, err := s.Renew(context.Background(), "token-3"); err == nil {
		t.Error("the floor did not grow")
	}
}

func TestIdleEntriesAreDropped(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	c, clock := newTestCache(t, f, Options{})
	held := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	mustToken(t, held)
	for i := range 1000 {
		conn := f.graph()
		graph.SettingsOf(conn).Tenant = fmt.Sprintf("tenant%d.it", i)
		sourceOf(t, c, conn, adapters.AudienceGraph)
	}
	clock.advance(3 * time.Hour)
	other := f.graph()
	graph.SettingsOf(other).Tenant = "last.it"
	sourceOf(t, c, other, adapters.AudienceGraph)
	c.mu.Lock()
	n := len(c.entries)
	c.mu.Unlock()
	if n != 1 {
		t.Errorf("%d entries kept", n)
	}
	if a, b := mustToken(t, held), mustToken(t, sourceOf(t, c, f.graph(), adapters.AudienceGraph)); a != b || f.tokens.Load() != 2 {
		t.Errorf("a source that outlived its entry does not share: %s, %s, %d requests", a, b, f.tokens.Load())
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	arrived := make(chan struct{})
	f.set(3599, func(_ http.ResponseWriter, r *http.Request) bool { close(arrived); <-r.Context().Done(); return true })
	c, _ := newTestCache(t, f, Options{})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	got := make(chan error, 1)
	go func() { _, err := s.Token(context.Background()); got <- err }()
	<-arrived
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; adapters.ClassOf(err) != adapters.Transient {
		t.Errorf("waiting caller: %v", err)
	}
	if _, err := s.Token(context.Background()); adapters.AsError(err).Code != "closed" {
		t.Errorf("later caller: %v", err)
	}
}

func TestLogsHoldNoSecret(t *testing.T) {
	t.Parallel()
	f := newFakeIssuer(t)
	var mu sync.Mutex
	var buf bytes.Buffer
	w := writerFunc(func(p []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return buf.Write(p) })
	c, clock := newTestCache(t, f, Options{Log: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	s := sourceOf(t, c, f.graph(), adapters.AudienceGraph)
	tok := mustToken(t, s)
	f.set(3599, answerJSON(400, `{"error":"invalid_client","error_description":"AADSTS7000222: `+testSecret+
		` body text","error_codes":[7000222]}`))
	clock.advance(2 * time.Hour)
	_, err := s.Token(context.Background())
	mu.Lock()
	defer mu.Unlock()
	shown := buf.String() + err.Error()
	for e := err; e != nil; e = errors.Unwrap(e) {
		shown += e.Error()
	}
	for _, bad := range []string{testSecret, tok, "body text"} {
		if strings.Contains(shown, bad) {
			t.Errorf("%q shows in %s", bad, shown)
		}
	}
	if !strings.Contains(shown, "AADSTS7000222") {
		t.Errorf("no code in %s", shown)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
