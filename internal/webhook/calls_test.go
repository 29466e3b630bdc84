package webhook

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// sender is the Sender of the scene.
func (s *scene) sender() *Sender {
	out := NewSender(s.sealer, loopback())
	s.t.Cleanup(out.Close)
	return out
}

// A test is signed like every other event, moves nothing on, and says what came of it.
func TestTestEvent(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	s.happen(1, "a")
	before := *s.record()
	send := s.sender()
	c := send.Test(t.Context(), &before)
	if !c.OK() || c.Status != http.StatusNoContent || c.Type != testType || !strings.HasPrefix(c.ID, "evt_"+s.hook+"_test_") {
		t.Errorf("%+v", c)
	}
	if got := s.got(); len(got) != 1 || got[0] != c.ID {
		t.Errorf("received %v, sent %s", got, c.ID)
	}
	if after := s.record(); after.Revision != before.Revision || after.Cursor != before.Cursor {
		t.Errorf("the test has changed the webhook: %+v", after)
	}
	s.answer = func(int) int { return http.StatusTeapot }
	if c := send.Test(t.Context(), &before); c.OK() || c.Status != http.StatusTeapot || c.Problem.In("it") == c.Problem.String() {
		t.Errorf("refused: %+v", c)
	}
	before.URL = "http://127.0.0.1:1/"
	if c := send.Test(t.Context(), &before); c.OK() || c.Status != 0 || strings.Contains(c.Problem.String(), "127.0.0.1:1/") {
		t.Errorf("not there: %+v", c)
	}
	before.URL = "http://10.1.2.3/"
	if c := send.Test(t.Context(), &before); c.OK() || !strings.Contains(c.Problem.String(), withoutTLS().String()) {
		t.Errorf("inside: %+v", c)
	}
	before.Secret = []byte("x")
	if c := send.Test(t.Context(), &before); c.OK() {
		t.Errorf("a secret that does not open: %+v", c)
	}
}

// The last calls are kept with the webhook, bounded.
func TestCallsAreKept(t *testing.T) {
	t.Parallel()
	s := newScene(t, "a")
	s.happen(store.WebhookCallsKept+5, "a")
	s.answer = func(n int) int {
		if n == store.WebhookCallsKept+4 {
			return http.StatusBadGateway
		}
		return http.StatusOK
	}
	s.must(s.worker().Once(context.Background()))
	h := s.record()
	if n := len(h.Recent); n != store.WebhookCallsKept {
		t.Fatalf("%d calls", n)
	}
	last, first := h.Recent[len(h.Recent)-1], h.Recent[0]
	if last.OK() || last.Status != http.StatusBadGateway || h.LastError != last.Problem.String() || !first.OK() ||
		last.Seq != first.Seq+int64(len(h.Recent))-1 {
		t.Errorf("first %+v, last %+v, %q", first, last, h.LastError)
	}
}

// A webhook of an operator gets the events of the connections that they own, and
// none when they may not sign in; a worker that cannot know sends nothing.
func TestOperatorsWebhook(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.record()
	h.Person, h.Client = "p1", "p1"
	_, err := s.store.PutWebhook(context.Background(), *h)
	s.must(err)
	s.happen(3, "a") // of no connection
	active := true
	var asked []string
	owned := func(_ context.Context, person string) ([]string, bool, error) {
		asked = append(asked, person)
		return []string{"c1"}, active, nil
	}
	for _, f := range []func(context.Context, string) ([]string, bool, error){owned, nil} {
		w, err := New(Options{Store: s.store, Sealer: s.sealer, Networks: loopback(), Now: s.clock, Owned: f})
		s.must(err)
		s.must(w.Once(context.Background()))
		w.send.Close()
	}
	active = false
	w, err := New(Options{Store: s.store, Sealer: s.sealer, Networks: loopback(), Now: s.clock, Owned: owned})
	s.must(err)
	s.must(w.Once(context.Background()))
	w.send.Close()
	if got := s.got(); len(got) != 0 || len(asked) != 2 || asked[0] != "p1" {
		t.Errorf("received %v, asked for %v", got, asked)
	}
}
