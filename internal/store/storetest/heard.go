package storetest

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// again makes the message that is submitted with a digest, its own id each time.
func again(digest string, body []byte, record bool) store.NewMessage {
	m := letter{body: body}.message()
	m.Identity = &store.Identity{Digest: []byte(digest), Window: time.Hour, Record: record}
	return m
}

func testUnheard(t *testing.T, h Harness) {
	s := h.Open(t)
	large := bytes.Repeat([]byte("0123456789abcde\n"), 20_000)
	take := func(now time.Time, m store.NewMessage) store.Submitted {
		t.Helper()
		out, err := s.Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m},
			Events: []store.NewEvent{{Type: "message.accepted", At: now, Message: m.ID}}})
		must(t, err)
		return out[0]
	}
	for _, body := range [][]byte{[]byte("small"), large} {
		first := take(t0(), again("a", body, true))
		want(t, "the first", first.Resubmitted, false)
		second := take(after(60), again("a", body, true))
		want(t, "the same again", second.Resubmitted, true)
		want(t, "its id", second.ID, first.ID)
		want(t, "its delivery", second.Deliveries[0], first.Deliveries[0])
		m, err := s.Message(t.Context(), first.ID)
		must(t, err)
		want(t, "the record counts it", m.Resubmitted, 1)
		want(t, "another digest", take(after(61), again("b", body, true)).Resubmitted, false)
		want(t, "another body", take(after(62), again("a", append([]byte("x"), body...), true)).Resubmitted, false)
		want(t, "from an entry point with answers that cannot be lost", take(after(63), again("a", body, false)).ID, first.ID)
		want(t, "out of its window", take(t0().Add(time.Hour), again("a", body, false)).Resubmitted, false)
		want(t, "at the window's end", take(t0().Add(time.Hour-time.Second), again("a", body, false)).Resubmitted, true)

		s.Heard(second.Receipt)
		third := take(after(120), again("a", body, true))
		want(t, "after it was heard of", third.Resubmitted, false)
		s.Heard(first.Receipt) // late, and of another message by now
		want(t, "a mark of the message before", take(after(121), again("a", body, true)).ID, third.ID)
		off := again("a", body, true)
		off.Identity.Window = 0
		want(t, "switched off", take(after(122), off).Resubmitted, false)

		// What came to nothing is no acceptance.
		_, err = s.Act(t.Context(), store.Action{Verb: store.DoCancel, Deliveries: third.Deliveries, Now: after(123)})
		must(t, err)
		want(t, "after it was cancelled", take(after(124), again("a", body, true)).Resubmitted, false)
	}
	events, err := s.Events(t.Context(), 0, 100, "", []string{"message.resubmitted"})
	must(t, err)
	want(t, "events of what came again", len(events), 8)
	s = h.Reopen(t, s)
	want(t, "after a restart", take(after(130), again("b", []byte("small"), true)).Resubmitted, true)
	_, err = s.Purge(t.Context(), store.PurgeRequest{Now: after(3 * 3600)})
	must(t, err)
	want(t, "after a purge", take(after(131), again("b", []byte("small"), true)).Resubmitted, false)

	// The clock of the node that took it was ahead.
	ahead := take(after(58*60), again("ahead", nil, true))
	want(t, "by a clock that is behind", take(t0().Add(-time.Minute), again("ahead", nil, true)).ID, ahead.ID)

	// Two of one submission are meant to be two.
	twins := []store.NewMessage{again("twin", nil, true), again("twin", nil, true)}
	out, err := s.Submit(t.Context(), store.Submission{Now: after(140), Messages: twins})
	must(t, err)
	want(t, "twins of one submission", out[0].ID != out[1].ID && !out[0].Resubmitted && !out[1].Resubmitted, true)

	// An answer under an idempotency key is the first one's as well.
	key := &store.Idempotency{Client: "client-1", Key: "k", Request: []byte("r"), ExpiresAt: after(9000)}
	keyed, err := s.Submit(t.Context(), store.Submission{Now: after(150), Messages: []store.NewMessage{again("twin", nil, false)},
		Idempotency: key})
	must(t, err)
	want(t, "under a key", keyed[0].Resubmitted, true)
	replay, err := s.Submit(t.Context(), store.Submission{Now: after(151), Messages: []store.NewMessage{again("twin", nil, false)},
		Idempotency: key})
	must(t, err)
	want(t, "the key again", replay[0].ID == keyed[0].ID && replay[0].Replayed, true)
}

// testUnheardTogether: a client that gave up waiting tries again, perhaps at
// another node, while its first try is about to be committed.
func testUnheardTogether(t *testing.T, h Harness) {
	s := h.Open(t)
	other := h.Second(t, s)
	ids := make([]store.ID, 12)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			st := s
			if i%2 == 1 {
				st = other
			}
			out, err := st.Submit(t.Context(),
				store.Submission{Now: after(float64(i)), Messages: []store.NewMessage{again("a", []byte("body"), true)}})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = out[0].ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		want(t, "id", id, ids[0])
	}
	m, err := s.Message(t.Context(), ids[0])
	must(t, err)
	want(t, "times that it came again", m.Resubmitted, len(ids)-1)
	if !h.Nodes {
		return
	}
	// What one node has heard of is no repeat at another.
	out, err := s.Submit(t.Context(), store.Submission{Now: after(20), Messages: []store.NewMessage{again("heard", nil, true)}})
	must(t, err)
	s.Heard(out[0].Receipt)
	next, err := other.Submit(t.Context(), store.Submission{Now: after(21), Messages: []store.NewMessage{again("heard", nil, true)}})
	must(t, err)
	want(t, "at another node right after it was heard of", next[0].Resubmitted, false)
}
