package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// A keyring says which of the sealed values were seen before it was told to remember.
type keyring struct {
	mu   sync.Mutex
	seen map[string]bool
}

// all takes every value for one of the old key, and remembers it.
func (k *keyring) all(b []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = map[string]bool{}
	}
	k.seen[string(b)] = true
	return true
}

// old reports that a value was remembered.
func (k *keyring) old(b []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen[string(b)]
}

const manySecrets = 120 // more than two transactions take

// secrets stores connections and webhooks that have some.
func secrets(t *testing.T, s store.Store) (conns []*gateway.Connection, hooks []*store.Webhook) {
	t.Helper()
	var edits []store.ConnectionEdit
	for i := range manySecrets {
		edits = append(edits, store.ConnectionEdit{Put: withPassword(fmt.Sprint("c", i), fmt.Sprint("segreto-", i))})
	}
	out, err := s.ApplyConnections(t.Context(), t0(), edits)
	must(t, err)
	conns = out
	for i := range 3 {
		h, err := s.PutWebhook(t.Context(), store.Webhook{URL: fmt.Sprint("https://example.com/", i), Active: true})
		must(t, err)
		h.Secret, err = Sealer().Seal(h.ID, "secret", adapters.Secret(fmt.Sprint("whsec-", i)))
		must(t, err)
		h, err = s.PutWebhook(t.Context(), *h)
		must(t, err)
		hooks = append(hooks, h)
	}
	return conns, hooks
}

func withPassword(name, password string) *gateway.Connection {
	c := smtpConnection(name)
	fallback.SettingsOf(&c.Connection).Password = adapters.Secret(password)
	return c
}

// testReseal: every secret that is stale is sealed again, once, also when it takes
// several calls; none is another one then, and no revision is.
func testReseal(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	conns, hooks := secrets(t, s)
	const answer = `"c2VhbGVk"`
	for i, text := range []string{answer, `{"id":"x"}`} {
		k := store.Idempotency{Client: "c", Key: fmt.Sprint("k", i), Request: []byte("r"), ExpiresAt: after(1000)}
		_, err := s.Begin(ctx, t0(), k)
		must(t, err)
		must(t, s.End(ctx, k, []byte(text)))
	}
	var keys keyring
	all := store.Resealed{Done: manySecrets + len(hooks), Answers: 1}
	for range 2 { // the first call changed nothing
		n, err := s.Reseal(ctx, keys.all, true)
		must(t, err)
		want(t, "would be sealed again", n, all)
	}
	want(t, "different ones", len(keys.seen), all.Done+1)
	// One that is broken off has done some transactions and not the rest.
	short, stop := context.WithCancel(ctx)
	asked := 0
	_, err := s.Reseal(short, func(b []byte) bool {
		if asked++; asked == manySecrets/2 {
			stop()
		}
		return keys.old(b)
	}, false)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("broken off: %v", err)
	}
	n, err := s.Reseal(ctx, keys.old, true)
	must(t, err)
	want(t, "some are done, and not all", n.Done > 0 && n.Done < all.Done, true)
	rest, err := s.Reseal(ctx, keys.old, false)
	must(t, err)
	want(t, "the rest", rest, n)
	n, err = s.Reseal(ctx, keys.old, false)
	must(t, err)
	want(t, "nothing is left but the answer", n, store.Resealed{Answers: 1})
	// Who has read a webhook before brings no old secret back.
	hooks[0].Cursor = 5
	hooks[0], err = s.PutWebhook(ctx, *hooks[0])
	must(t, err)
	n, err = s.Reseal(ctx, keys.old, true)
	must(t, err)
	want(t, "stale after a webhook went on", n.Done, 0)
	for i, c := range conns {
		got, err := s.Connection(ctx, c.ID)
		must(t, err)
		want(t, "secret", fallback.SettingsOf(&got.Connection).Password.Reveal(), fmt.Sprint("segreto-", i))
		want(t, "revision", got.Revision, c.Revision)
	}
	for i, w := range hooks {
		got, err := s.Webhook(ctx, w.ID)
		must(t, err)
		secret, err := Sealer().Open(w.ID, "secret", got.Secret)
		must(t, err)
		want(t, "secret of a webhook", secret.Reveal(), fmt.Sprint("whsec-", i))
		want(t, "revision of a webhook", got.Revision, w.Revision)
	}
	hooks[1].Secret, err = Sealer().Seal(hooks[1].ID, "secret", "another")
	must(t, err)
	hooks[1], err = s.PutWebhook(ctx, *hooks[1])
	must(t, err)
	secret, err := Sealer().Open(hooks[1].ID, "secret", hooks[1].Secret)
	must(t, err)
	want(t, "a secret that is edited", secret.Reveal(), "another")
}

// testResealBeside: two processes seal everything again and again while connections are
// edited and removed: each has the secret of its last edit.
func testResealBeside(t *testing.T, h Harness) {
	s := h.Open(t)
	conns, _ := secrets(t, s)
	stop, ctx := make(chan struct{}), t.Context()
	var wg sync.WaitGroup
	for _, st := range []store.Store{s, h.Second(t, s)} {
		wg.Go(func() {
			for {
				if n, err := st.Reseal(ctx, func([]byte) bool { return true }, false); err != nil || n.Closed > 0 {
					t.Error(n, err)
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond): // the editor is to have its turn
				}
			}
		})
	}
	const edited = 12
	for round := range 2 {
		for i, c := range conns[:edited] {
			fallback.SettingsOf(&c.Connection).Password = adapters.Secret(fmt.Sprint("round-", round, "-", i))
			next, err := s.PutConnection(ctx, t0(), c)
			must(t, err)
			conns[i] = next
		}
	}
	must(t, s.DeleteConnection(ctx, t0(), conns[manySecrets-1].ID))
	close(stop)
	wg.Wait()
	for i, c := range conns[:manySecrets-1] {
		got, err := s.Connection(ctx, c.ID)
		must(t, err)
		password := fmt.Sprint("segreto-", i)
		if i < edited {
			password = fmt.Sprint("round-1-", i)
		}
		want(t, "secret", fallback.SettingsOf(&got.Connection).Password.Reveal(), password)
	}
}

// testResealClosed: what opens with no key that is there is counted, and stays as it is.
func testResealClosed(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	c, err := s.PutConnection(ctx, t0(), withPassword("a", "segreto"))
	must(t, err)
	h.Corrupt(t, s, "secrets", store.ID{})
	for _, dry := range []bool{true, false} {
		n, err := s.Reseal(ctx, func([]byte) bool { return true }, dry)
		must(t, err)
		want(t, "closed", n, store.Resealed{Closed: 1})
	}
	got, err := s.Connection(ctx, c.ID)
	must(t, err)
	want(t, "what is shown of it", strings.Contains(fallback.SettingsOf(&got.Connection).Password.Reveal(), "segreto"), false)
}
