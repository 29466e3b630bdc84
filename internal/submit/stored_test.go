package submit

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil))
	later := time.Now().Add(100 * time.Hour).Truncate(time.Microsecond)
	got, refusal := w.take(letter{to: []string{"a@example.com"}, Request: Request{NotBefore: later, Tag: "inverno"}})
	if refusal != nil {
		t.Fatal(refusal)
	}
	m, dd := w.stored(got.ID)
	if d := dd[0]; !d.NextAt.Equal(later) || !d.ExpiresAt.Equal(later.Add(72*time.Hour)) || !d.WarnAt.Equal(later.Add(4*time.Hour)) ||
		m.Tag != "inverno" {
		t.Errorf("due %v, expires %v, warned %v, tag %q", d.NextAt, d.ExpiresAt, d.WarnAt, m.Tag)
	}
	if want := (store.Routed{Rule: "address", Connection: dd[0].Route.Connection}); m.Routed != want {
		t.Errorf("routed %+v, want %+v", m.Routed, want)
	}
}

func TestRuleCalled(t *testing.T) {
	t.Parallel()
	for r := RuleNone; r <= RuleDefault; r++ {
		if RuleCalled(r.Name()) != r {
			t.Errorf("%s is called otherwise", r.Name())
		}
	}
	if RuleCalled("other") != RuleNone {
		t.Error("an unknown name is a rule")
	}
}

// Programs that give each recipient a transaction of its own, with everybody in
// the header (contracts F2): within the window they leave as one message.
func TestJoin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil), smtpConn("relay", "relay@contoso.it", nil))
		const head = "From: erp@contoso.it\nTo: a@example.com, b@example.com\nSubject: s\nMessage-ID: <1@contoso.it>"
		send := func(head, body, to string) Result {
			t.Helper()
			got, refusal := w.take(letter{head: head, body: body, to: []string{to}})
			if refusal != nil {
				t.Fatal(refusal)
			}
			return got
		}
		first, second := send(head, "", "a@example.com"), send(head, "", "b@example.com")
		if first.Joined || !second.Joined || first.ID != second.ID {
			t.Errorf("first %+v, second %+v", first.Submitted, second.Submitted)
		}
		m, dd := w.stored(first.ID)
		if len(dd) != 1 || !slices.Equal(addresses(dd[0]), []string{"a@example.com", "b@example.com"}) || len(m.Envelope.Recipients) != 2 {
			t.Errorf("joined to %+v", dd)
		}
		if wait := dd[0].NextAt.Sub(dd[0].CreatedAt); wait != 2*time.Second {
			t.Errorf("it waits %v", wait)
		}
		if other := send(head, "another body\r\n", "b@example.com"); other.Joined {
			t.Error("another body was joined")
		}
		if other := send(strings.Replace(head, "<1@", "<2@", 1), "", "b@example.com"); other.Joined {
			t.Error("another Message-ID was joined")
		}
		for _, labelled := range []Request{{Tag: "t"}, {Metadata: store.Metadata{"for": "b"}}} {
			got, refusal := w.take(letter{head: head, to: []string{"b@example.com"}, Request: labelled})
			if m, _ := w.stored(got.ID); refusal != nil || got.Joined || m.Label().Tag != labelled.Tag || len(m.Metadata) != len(labelled.Metadata) {
				t.Errorf("another label was joined: %+v %v", got.Submitted, refusal)
			}
		}
		<-time.After(3 * time.Second)
		if late := send(head, "", "b@example.com"); late.Joined {
			t.Error("joined after the window")
		}
		whole := send("From: erp@contoso.it\nTo: a@example.com\nSubject: s", "", "a@example.com")
		if _, dd := w.stored(whole.ID); dd[0].NextAt.After(dd[0].CreatedAt) {
			t.Error("a message to everybody in its header waits")
		}
		over := strings.Replace(head, "erp@", "relay@", 1)
		if send(over, "", "a@example.com"); send(over, "", "b@example.com").Joined {
			t.Error("joined over SMTP, which has an envelope")
		}
	})
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil))
	key := func(digest string) *store.Idempotency {
		return &store.Idempotency{Client: "c", Key: "k", Request: []byte(digest), ExpiresAt: time.Now().Add(time.Hour)}
	}
	submit := func(k *store.Idempotency) ([]Result, *Refusal) {
		b, r := w.request(letter{to: []string{"a@example.com"}})
		defer closed(t, b)
		out, err := w.SubmitAll(t.Context(), []Request{r}, k)
		return out, AsRefusal(err)
	}
	var wg sync.WaitGroup
	ids := make([]store.ID, 8)
	for i := range ids {
		wg.Go(func() {
			out, refusal := submit(key("one"))
			if refusal != nil {
				t.Error(refusal)
				return
			}
			ids[i] = out[0].ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("repeats stored again: %v", ids)
			break
		}
	}
	if _, refusal := submit(key("two")); refusal == nil || refusal.Code != "idempotency_key" || refusal.Temporary() {
		t.Errorf("the same key with another request: %+v", refusal)
	}
	st, err := w.store.Stats(t.Context(), time.Now())
	if err != nil || st.States[store.Queued] != 1 {
		t.Errorf("%+v, %v: want one delivery", st.States, err)
	}
}

// Several messages are taken all or none, and the refusal says which is to blame.
func TestSubmitAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil))
	b1, good := w.request(letter{to: []string{"a@example.com"}})
	defer closed(t, b1)
	b2, bad := w.request(letter{head: "From: x@nowhere.it\nSubject: s", to: []string{"a@example.com"}})
	defer closed(t, b2)
	_, err := w.SubmitAll(t.Context(), []Request{good, bad}, nil)
	if r := AsRefusal(err); r == nil || r.Code != "no_route" || r.Field != "messages[1].from" {
		t.Errorf("got %+v", r)
	}
	st, serr := w.store.Stats(t.Context(), time.Now())
	if serr != nil || st.States[store.Queued] != 0 {
		t.Errorf("%+v, %v: want nothing stored", st.States, serr)
	}
}

// A large body that came in through a spool file is taken over, whatever Accept
// did to it, and nothing stays behind.
func TestSpooled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, smtpConn("relay", "erp@contoso.it", nil))
	line := strings.Repeat("x", 70) + "\r\n"
	long := strings.Repeat("y", 2000) + "\r\n"
	for name, tt := range map[string]struct{ body, want string }{
		"as it is":                {body: strings.Repeat(line, 5000), want: strings.Repeat(line, 5000)},
		"without an end of line":  {body: strings.Repeat(line, 5000) + "end", want: strings.Repeat(line, 5000) + "end\r\n"},
		"a line that is too long": {body: strings.Repeat(line, 5000) + long},
	} {
		t.Run(name, func(t *testing.T) {
			got, refusal := w.take(letter{body: tt.body, to: []string{"a@example.com"}})
			if refusal != nil {
				t.Fatal(refusal)
			}
			raw := w.raw(got.ID) // checks size and digest
			_, body, _ := strings.Cut(raw, "\r\n\r\n")
			if tt.want != "" && body != tt.want {
				t.Errorf("%d bytes came in, %d are stored", len(tt.body), len(body))
			}
			for l := range strings.Lines(body) {
				if len(l) > 1000 {
					t.Fatalf("a line of %d octets is stored", len(l))
				}
			}
		})
	}
}
