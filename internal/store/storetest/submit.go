package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func testSubmit(t *testing.T, h Harness) {
	s := h.Open(t)
	l := letter{to: []string{"a@example.com", "b@example.com"}, tag: "fatture", warn: after(60)}
	nm := l.message()
	nm.NotBefore = after(5)
	nm.Metadata = store.Metadata{"order": "42", "città": ""}
	out, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{nm}})
	must(t, err)
	want(t, "id", out[0].ID, nm.ID)
	want(t, "delivery", out[0].Deliveries[0], nm.Deliveries[0].ID)
	m, err := s.Message(t.Context(), nm.ID)
	must(t, err)
	want(t, "message id", m.MessageID, nm.MessageID)
	want(t, "subject", m.Subject, nm.Subject)
	want(t, "from", m.From, nm.From)
	want(t, "original from", m.OriginalFrom, nm.OriginalFrom)
	want(t, "envelope", fmt.Sprint(m.Envelope), fmt.Sprint(nm.Envelope))
	want(t, "size", m.Size, int64(len(nm.Head))+nm.Body.Size())
	want(t, "client, entry point, class, tag", m.Client+m.EntryPoint+m.Class+m.Tag, nm.Client+nm.EntryPoint+nm.Class+nm.Tag)
	want(t, "metadata", fmt.Sprint(m.Metadata), fmt.Sprint(nm.Metadata))
	want(t, "received", m.ReceivedAt, t0())
	want(t, "not before", m.NotBefore, after(5))
	want(t, "kept", m.BodyKept, true)
	d := delivery(t, s, nm.Deliveries[0].ID)
	want(t, "state", d.State, store.Queued)
	want(t, "next", d.NextAt, t0())
	want(t, "expires", d.ExpiresAt, nm.Deliveries[0].ExpiresAt)
	want(t, "warn", d.WarnAt, after(60))
	want(t, "route", d.Route.Connection+d.Route.Lane, "conn-1lane-1")
	want(t, "recipients", len(d.Pending()), 2)
	want(t, "wishes", fmt.Sprint(d.Recipients[1].Recipient), fmt.Sprint(nm.Envelope.Recipients[1]))
	_, err = s.Message(t.Context(), store.NewID())
	wantErr(t, "no such message", err, store.ErrNotFound)
	_, err = s.Delivery(t.Context(), store.NewID())
	wantErr(t, "no such delivery", err, store.ErrNotFound)
	// All or nothing.
	bad := letter{}.message()
	bad.ID = nm.ID // taken
	good := letter{}.message()
	if _, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{good, bad}}); err == nil {
		t.Error("a message with a taken id was stored")
	}
	_, err = s.Message(t.Context(), good.ID)
	wantErr(t, "the other half", err, store.ErrNotFound)
	if _, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{{Head: []byte("\r\n")}}}); err == nil {
		t.Error("a message without a delivery was stored")
	}
}

func testContent(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, c := range []struct {
		name     string
		size     int
		buffered bool
		offset   int64
	}{
		{"empty", 0, false, 0}, {"small", 1000, false, 0}, {"large without buffer", 300_000, false, 0},
		{"small in buffer", 500, true, 20}, {"large in buffer", 400_000, true, 37}, {"large in buffer from its start", 200_000, true, 0},
	} {
		body := bytes.Repeat([]byte("0123456789abcde\n"), c.size/16+1)[:c.size]
		nm := letter{body: body}.message()
		if c.buffered {
			b, err := spool.Fill(io.MultiReader(bytes.NewReader(make([]byte, c.offset)), bytes.NewReader(body)), s.SpoolDir(), 1000, 0)
			must(t, err)
			src, err := b.Source()
			must(t, err)
			nm.Body, nm.Buffer, nm.BodyOffset = io.NewSectionReader(src, c.offset, int64(c.size)), b, c.offset
		}
		_, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{nm}})
		must(t, err)
		if nm.Buffer != nil {
			must(t, nm.Buffer.Close())
		}
		if got := readAll(t, s, nm.ID); !bytes.Equal(got, append(bytes.Clone(nm.Head), body...)) {
			t.Errorf("%s: %d bytes came back, not the %d that were stored", c.name, len(got), len(body))
		}
	}
	_, err := s.Content(t.Context(), store.NewID())
	wantErr(t, "no such content", err, store.ErrNotFound)
	left, err := os.ReadDir(s.SpoolDir())
	must(t, err)
	for _, e := range left {
		if info, err := e.Info(); err == nil && info.Size() > 0 {
			t.Errorf("left in the spool folder: %s", e.Name())
		}
	}
}

func testJoin(t *testing.T, h Harness) {
	s := h.Open(t)
	n := register(t, s, "n", t0())
	sibling := func(at float64, key string, max int, to ...string) store.Submitted {
		t.Helper()
		out, err := s.Submit(t.Context(), store.Submission{Now: after(at), Messages: []store.NewMessage{
			letter{at: after(at), to: to, said: "RCPT " + to[0], join: &store.Join{Key: key, Until: after(at + 2),
				MaxRecipients: max}}.message()}})
		must(t, err)
		return out[0]
	}
	a := sibling(0, "k", 0, "a@example.com")
	want(t, "first", a.Joined, false)
	b := sibling(1, "k", 0, "b@example.com", "a@EXAMPLE.com")
	want(t, "second joins", b.Joined, true)
	want(t, "same message", b.ID, a.ID)
	want(t, "same delivery", b.Deliveries[0], a.Deliveries[0])
	want(t, "other key", sibling(1, "k2", 0, "c@example.com").Joined, false)
	d := delivery(t, s, a.Deliveries[0])
	want(t, "recipients, each once", len(d.Recipients), 2)
	m, err := s.Message(t.Context(), a.ID)
	must(t, err)
	want(t, "envelope", len(m.Envelope.Recipients), 2)
	want(t, "what was said for each", m.Conversation, "RCPT a@example.com\nRCPT b@example.com\n")
	want(t, "due", d.NextAt, after(2))
	want(t, "nothing is due while it waits", len(claim(t, s, n, after(1.9), 10)), 0)
	want(t, "window over", sibling(2, "k", 0, "d@example.com").Joined, false)
	got := claim(t, s, n, after(2.5), 10)
	want(t, "claimed", len(got), 1)
	want(t, "both go out", len(got[0].Delivery.Pending()), 2)
	want(t, "the message knows both", len(got[0].Message.Envelope.Recipients), 2)
	// What is claimed is never joined, even inside the window.
	e := sibling(10, "k3", 0, "a@example.com")
	_, err = s.Act(t.Context(), store.Action{Verb: store.DoRetry, Deliveries: e.Deliveries, Now: after(10)})
	must(t, err)
	claim(t, s, n, after(10.1), 10)
	want(t, "claimed one", sibling(10.2, "k3", 0, "b@example.com").Joined, false)
	// Recipients beyond what the route carries start a new one.
	f := sibling(20, "k4", 2, "a@example.com", "b@example.com")
	want(t, "full", sibling(20.1, "k4", 2, "c@example.com").Joined, false)
	want(t, "still two", len(delivery(t, s, f.Deliveries[0]).Recipients), 2)
	// Many at once: one delivery with all of them.
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[store.ID]bool{}
	for _, to := range many(20, "p%d@example.com") {
		wg.Go(func() {
			out, err := s.Submit(t.Context(), store.Submission{Now: after(30), Messages: []store.NewMessage{
				letter{at: after(30), to: []string{to}, join: &store.Join{Key: "k5", Until: after(32)}}.message()}})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			ids[out[0].Deliveries[0]] = true
		})
	}
	wg.Wait()
	want(t, "deliveries of 20 siblings", len(ids), 1)
	for id := range ids {
		want(t, "recipients of 20 siblings", len(delivery(t, s, id).Recipients), 20)
	}
}

func testIdempotency(t *testing.T, h Harness) {
	s := h.Open(t)
	sub := func(key, request string, now float64) ([]store.Submitted, error) {
		return s.Submit(t.Context(), store.Submission{Now: after(now), Messages: []store.NewMessage{letter{at: after(now)}.message()},
			Idempotency: &store.Idempotency{Client: "c", Key: key, Request: []byte(request), ExpiresAt: after(now + 100)}})
	}
	replay := func(client, key, request string, now float64) ([]store.Submitted, error) {
		return s.Replay(t.Context(), after(now), store.Idempotency{Client: client, Key: key, Request: []byte(request)})
	}
	none, err := replay("c", "k", "r", 0)
	must(t, err)
	want(t, "nothing to replay", len(none), 0)
	a, err := sub("k", "r", 0)
	must(t, err)
	again, err := replay("c", "k", "r", 1)
	must(t, err)
	want(t, "replay alone", len(again) == 1 && again[0].ID == a[0].ID && again[0].Replayed && len(again[0].Deliveries) == 1, true)
	_, err = replay("c", "k", "other", 1)
	wantErr(t, "replay of another request", err, store.ErrIdempotency)
	for name, none := range map[string]func() ([]store.Submitted, error){
		"of another client": func() ([]store.Submitted, error) { return replay("d", "k", "r", 1) },
		"after its end":     func() ([]store.Submitted, error) { return replay("c", "k", "r", 100) },
	} {
		got, err := none()
		must(t, err)
		want(t, "replay "+name, len(got), 0)
	}
	b, err := sub("k", "r", 1)
	must(t, err)
	want(t, "same answer", b[0].ID, a[0].ID)
	want(t, "replayed", b[0].Replayed && !a[0].Replayed, true)
	_, err = sub("k", "other", 2)
	wantErr(t, "other request", err, store.ErrIdempotency)
	c, err := sub("k", "other", 101)
	must(t, err)
	want(t, "after its end", c[0].Replayed, false)
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh, ids := 0, map[store.ID]bool{}
	for range 10 {
		wg.Go(func() {
			out, err := sub("k2", "r", 3)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			if !out[0].Replayed {
				fresh++
			}
			ids[out[0].ID] = true
		})
	}
	wg.Wait()
	want(t, "stored of 10 at once", fresh, 1)
	want(t, "answers of 10 at once", len(ids), 1)
}

// testSubmitters has many submitters and one among them that fails all the
// time: it harms no one else.
func testSubmitters(t *testing.T, h Harness) {
	s := h.Open(t)
	taken, _ := submit(t, s, letter{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ids []store.ID
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				nm := letter{lane: fmt.Sprint("l", i%3), client: fmt.Sprint("c", w)}.message()
				if w == 0 {
					nm.ID = taken
				}
				_, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{nm}})
				if (err == nil) == (w == 0) {
					t.Errorf("submitter %d: %v", w, err)
				}
				mu.Lock()
				if err == nil {
					ids = append(ids, nm.ID)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	want(t, "stored", len(ids), 140)
	for _, id := range ids {
		if got := readAll(t, s, id); len(got) == 0 {
			t.Errorf("message %s is empty", id)
		}
	}
	st, err := s.Stats(t.Context(), t0())
	must(t, err)
	want(t, "queued", st.States[store.Queued], 141)
}

func testClosed(t *testing.T, h Harness) {
	s := h.Open(t)
	must(t, s.Ping(t.Context()))
	must(t, s.Close())
	_, err := s.Submit(t.Context(), store.Submission{Now: t0(), Messages: []store.NewMessage{letter{}.message()}})
	wantErr(t, "submit after close", err, store.ErrUnavailable)
	_, err = s.Stats(t.Context(), t0())
	wantErr(t, "stats after close", err, store.ErrUnavailable)
	if err := s.Close(); errors.Is(err, store.ErrUnavailable) {
		t.Error("a second close is no error:", err)
	}
}

var _ mime.Source = (store.Content)(nil)

func testBegin(t *testing.T, h Harness) {
	s := h.Open(t)
	key := func(name, request string) store.Idempotency {
		return store.Idempotency{Client: "c", Key: name, Request: []byte(request), ExpiresAt: after(100)}
	}
	begin := func(name, request string, now float64) (string, error) {
		answer, err := s.Begin(t.Context(), after(now), key(name, request))
		return string(answer), err
	}
	if got, err := begin("k", "resend", 0); got != "" || err != nil {
		t.Errorf("first: %q %v", got, err)
	}
	_, err := begin("k", "resend", 1)
	wantErr(t, "while it is done", err, store.ErrUnderWay)
	_, err = begin("k", "other", 1)
	wantErr(t, "another request", err, store.ErrIdempotency)
	if err := s.End(t.Context(), key("k", "resend"), []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := begin("k", "resend", 2); got != `{"x":1}` || err != nil {
		t.Errorf("repeat: %q %v", got, err)
	}
	_, err = begin("k", "other", 2)
	wantErr(t, "another request after it was done", err, store.ErrIdempotency)
	if err := s.End(t.Context(), key("k", "resend"), nil); err != nil { // an answer is not given back
		t.Fatal(err)
	}
	if got, err := begin("k", "resend", 3); got != `{"x":1}` || err != nil {
		t.Errorf("repeat: %q %v", got, err)
	}
	if got, err := begin("k", "resend", 101); got != "" || err != nil {
		t.Errorf("expired: %q %v", got, err)
	}
	if _, err := begin("failed", "resend", 0); err != nil {
		t.Error(err)
	}
	if err := s.End(t.Context(), key("failed", "resend"), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := begin("failed", "other", 0); got != "" || err != nil {
		t.Errorf("after nothing was done: %q %v", got, err)
	}
}
