package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/vault"
)

// A scene is a store with one webhook and a receiver that answers what it is told.
type scene struct {
	t      *testing.T
	store  *sqlite.Store
	sealer *vault.Vault
	secret string
	hook   string

	mu     sync.Mutex
	now    time.Time
	answer func(n int) int
	ids    []string // webhook-id of every request, in order
}

func newScene(t *testing.T, types ...string) *scene {
	t.Helper()
	ctx := context.Background()
	s := &scene{t: t, now: time.Now().Truncate(time.Second), answer: func(int) int { return http.StatusNoContent }}
	dir := t.TempDir()
	var err error
	s.sealer, err = vault.Open(dir, func(string) string { return "" })
	s.must(err)
	s.store, err = sqlite.Open(ctx, sqlite.Options{Dir: dir, Server: true, Sealer: s.sealer})
	s.must(err)
	t.Cleanup(func() { s.must(s.store.Close()) })
	receiver := httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(receiver.Close)
	h, err := s.store.PutWebhook(ctx, store.Webhook{URL: receiver.URL, Types: types})
	s.must(err)
	secret := newSecret()
	s.secret = secret.Reveal()
	h.Secret, err = s.sealer.Seal(h.ID, secretPath, secret)
	s.must(err)
	h.Active = true
	h, err = s.store.PutWebhook(ctx, *h)
	s.must(err)
	s.hook = h.ID
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *scene) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *scene) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	wh, err := standardwebhooks.NewWebhook(s.secret)
	if err != nil {
		s.t.Error(err)
	}
	if err := wh.VerifyIgnoringTimestamp(body, r.Header); err != nil { // the clock of the test is its own
		s.t.Error(err)
	}
	s.mu.Lock()
	n := len(s.ids)
	s.ids = append(s.ids, r.Header.Get("webhook-id"))
	code := s.answer(n)
	s.mu.Unlock()
	w.WriteHeader(code)
}

func (s *scene) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.ids...)
}

func (s *scene) worker() *Worker {
	s.t.Helper()
	w, err := New(Options{Store: s.store, Sealer: s.sealer, Networks: loopback(), Now: s.clock})
	s.must(err)
	s.t.Cleanup(w.send.Close)
	return w
}

func (s *scene) happen(n int, kind string) {
	s.t.Helper()
	for range n {
		s.must(s.store.AppendEvents(context.Background(), store.NewEvent{Type: kind, At: s.clock()}))
	}
}

func (s *scene) record() *store.Webhook {
	s.t.Helper()
	h, err := s.store.Webhook(context.Background(), s.hook)
	s.must(err)
	return h
}

func TestInOrderAgainUntilConfirmed(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	w := s.worker()
	s.happen(2, "a")
	s.happen(1, "b")
	s.happen(1, "a")
	broken := true
	s.answer = func(n int) int {
		if n >= 1 && broken {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}
	ctx := context.Background()
	s.must(w.Once(ctx))
	h := s.record()
	if h.Cursor != 1 || h.Failures != 1 || !strings.Contains(h.LastError, "500") || !h.NextAt.Equal(s.clock().Add(5*time.Second)) {
		t.Fatalf("%+v", h)
	}
	s.must(w.Once(ctx)) // not due
	s.pass(5 * time.Second)
	s.must(w.Once(ctx))
	if h = s.record(); h.Failures != 2 || !h.NextAt.Equal(s.clock().Add(10*time.Second)) {
		t.Fatalf("%+v", h)
	}
	s.mu.Lock()
	broken = false
	s.mu.Unlock()
	s.pass(10 * time.Second)
	s.must(w.Once(ctx))
	h = s.record()
	if h.Cursor != 4 || h.Failures != 0 || h.LastError != "" || !h.NextAt.IsZero() {
		t.Errorf("%+v", h)
	}
	id := func(n int64) string { return messageID(s.hook, n) }
	if got, want := fmt.Sprint(s.got()), fmt.Sprint([]string{id(1), id(2), id(2), id(2), id(4)}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestGivesUpAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	w := s.worker()
	s.happen(1, "a")
	s.answer = func(int) int { return http.StatusBadGateway }
	for range giveUpAfter {
		s.must(w.Once(context.Background()))
		s.pass(time.Hour)
	}
	if h := s.record(); h.Active || h.Failures != giveUpAfter || h.Cursor != 0 {
		t.Errorf("%+v", h)
	}
	s.must(w.Once(context.Background()))
	if n := len(s.got()); n != giveUpAfter {
		t.Errorf("%d requests", n)
	}
}

// Several nodes on one store: each event goes out once.
func TestNodesShareTheWork(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.happen(120, "a")
	ctx := context.Background()
	var all sync.WaitGroup
	for range 4 {
		w := s.worker()
		all.Go(func() {
			for s.record().Cursor < 120 {
				if err := w.Once(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	got := s.got()
	for i, id := range got {
		if id != messageID(s.hook, int64(i+1)) {
			t.Fatalf("request %d was %s", i+1, id)
		}
	}
	if len(got) != 120 {
		t.Errorf("%d requests", len(got))
	}
}

// A node that died with its lease does not keep the others out for long.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.happen(1, "a")
	h := s.record()
	h.NextAt = s.clock().Add(lease)
	_, err := s.store.PutWebhook(context.Background(), *h)
	s.must(err)
	w := s.worker()
	s.must(w.Once(context.Background()))
	if len(s.got()) != 0 {
		t.Error("a lease was not respected")
	}
	s.pass(lease)
	s.must(w.Once(context.Background()))
	if len(s.got()) != 1 {
		t.Error("a lease that ended still holds")
	}
}

func TestEditedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.happen(3, "a")
	s.answer = func(n int) int {
		if n == 1 { // somebody asks for a replay while the page is under way
			h, err := s.store.Webhook(context.Background(), s.hook)
			if err == nil {
				h.Cursor, h.NextAt = 2, time.Time{}
				_, err = s.store.PutWebhook(context.Background(), *h)
			}
			if err != nil {
				t.Error(err)
			}
		}
		return http.StatusOK
	}
	w := s.worker()
	s.must(w.Once(context.Background()))
	if h := s.record(); h.Cursor != 2 {
		t.Errorf("the edit was overwritten: %+v", h)
	}
}

// Nothing of the URL, which may hold a token, is in the error that is shown.
func TestErrorHidesTheURL(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.happen(1, "a")
	h := s.record()
	h.URL = "http://127.0.0.1:1/?token=geheim"
	_, err := s.store.PutWebhook(context.Background(), *h)
	s.must(err)
	s.must(s.worker().Once(context.Background()))
	if h = s.record(); h.Failures != 1 || strings.Contains(h.LastError, "geheim") {
		t.Errorf("%+v", h)
	}
}
