package adaptertest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

func testAccepted(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	m := message(t, p.From, "accepted", []string{"anna@example.com"}, nil, nil)
	out := outgoing(t, m, p.From, "anna@example.com")
	if err := p.Adapter.Check(out); err != nil {
		t.Fatalf("Check: %v", err)
	}
	r, err := p.Adapter.Send(testContext(t), out)
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	if r.MessageID != m.MessageID() || r.Status < 200 || r.Status > 299 || r.Bytes == 0 || r.At.IsZero() || r.Route == "" ||
		len(r.SHA256) != 64 {
		t.Errorf("the receipt lacks evidence: %+v", r)
	}
	if len(r.Recipients) != 1 || r.Recipients[0].Address.String() != "anna@example.com" || r.Recipients[0].Err != nil {
		t.Errorf("recipients of the receipt: %+v", r.Recipients)
	}
	d := p.Delivered()
	if len(d) != 1 || !slices.Equal(d[0].Recipients, []string{"anna@example.com"}) {
		t.Fatalf("delivered: %+v", d)
	}
}

func testEnvelope(t *testing.T, s Suite) {
	for _, c := range []struct {
		name          string
		to, cc, rcpts []string
	}{
		{"headers and envelope agree", []string{"a@example.com"}, []string{"b@example.com"}, []string{"a@example.com", "b@example.com"}},
		{"hidden recipient", []string{"a@example.com"}, nil, []string{"a@example.com", "hidden@example.com"}},
		{"header recipient not in envelope", []string{"a@example.com", "elsewhere@example.com"}, []string{"c@example.com"},
			[]string{"a@example.com"}},
		{"no one of the headers", []string{"list@example.com"}, nil, []string{"x@example.com", "y@example.com"}},
		{"case of the domain", []string{"a@EXAMPLE.com"}, nil, []string{"a@example.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := s.open(t, adapters.Limits{})
			m := message(t, p.From, "envelope", c.to, c.cc, nil)
			if _, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, c.rcpts...)); err != nil {
				t.Fatalf("Send: %v", err)
			}
			d := p.Delivered()
			want := slices.Sorted(slices.Values(c.rcpts))
			if len(d) != 1 || !slices.EqualFunc(d[0].Recipients, want, func(a, b string) bool { return mailbox(t, a) == mailbox(t, b) }) {
				t.Fatalf("delivered %+v, want one message to exactly %v", d, want)
			}
		})
	}
}

func testBcc(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	m := message(t, p.From, "bcc", []string{"a@example.com"}, nil, []string{"secret.partner@example.com", "stranger@example.com"})
	if _, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com", "secret.partner@example.com")); err != nil {
		t.Fatalf("Send: %v", err)
	}
	d := p.Delivered()
	if len(d) != 1 || !slices.Equal(d[0].Recipients, []string{"a@example.com", "secret.partner@example.com"}) {
		t.Fatalf("delivered: %+v", d)
	}
	if bytes.Contains(d[0].Shown, []byte("secret.partner")) || bytes.Contains(d[0].Received, []byte("stranger@")) {
		t.Errorf("a hidden recipient shows:\n%s", d[0].Shown)
	}
}

func testSameBytes(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	m := message(t, p.From, "bytes", []string{"a@example.com"}, nil, []string{"b@example.com"})
	out := outgoing(t, m, p.From, "a@example.com", "b@example.com")
	var sums []string
	for range 3 {
		r, err := p.Adapter.Send(testContext(t), out)
		if err != nil {
			t.Fatalf("Send: %v", err)
		}
		sums = append(sums, r.SHA256)
	}
	d := p.Delivered()
	if len(d) != 3 || sums[0] != sums[1] || sums[1] != sums[2] ||
		!bytes.Equal(d[0].Received, d[1].Received) || !bytes.Equal(d[1].Received, d[2].Received) {
		t.Errorf("three sends of one message differ: %v", sums)
	}
}

func testClasses(t *testing.T, s Suite) {
	for _, c := range []struct {
		fault Fault
		want  adapters.Class
	}{
		{FaultPermanent, adapters.Permanent}, {FaultTransient, adapters.Transient}, {FaultThrottled, adapters.Throttled},
		{FaultAuth, adapters.Auth}, {FaultSendAs, adapters.Permanent}, {FaultGarbage, s.GarbageClass},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			t.Parallel()
			p := s.open(t, adapters.Limits{})
			p.Inject(t, c.fault)
			m := message(t, p.From, "class", []string{"a@example.com"}, nil, nil)
			_, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com"))
			var e *adapters.Error
			if !errors.As(err, &e) {
				t.Fatalf("Send gave %T %v, want *adapters.Error", err, err)
			}
			if e.Class != c.want {
				t.Errorf("class %s, want %s: %v", e.Class, c.want, e)
			}
			if e.Message.String() == "" || e.Message.In("it") == "" {
				t.Errorf("no sentence in both languages: %+v", e)
			}
			if (e.Class == adapters.Permanent || e.Class == adapters.Auth) && (e.Hint.String() == "" || e.Hint.In("it") == "") {
				t.Errorf("no hint: %+v", e)
			}
			if c.fault == FaultSendAs && !e.NoRetry {
				t.Errorf("a send-as refusal must not be retried (contracts F30)")
			}
			if c.fault == FaultThrottled && s.TellsRetry && e.RetryAfter != RetryAfter {
				t.Errorf("RetryAfter %v, want %v", e.RetryAfter, RetryAfter)
			}
			if n := len(p.Delivered()); n != 0 {
				t.Errorf("%d messages delivered by a refusal", n)
			}
		})
	}
}

func testUnreachable(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	p.Inject(t, FaultUnreachable)
	m := message(t, p.From, "unreachable", []string{"a@example.com"}, nil, nil)
	_, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com"))
	if adapters.ClassOf(err) != adapters.Transient {
		t.Errorf("class %s, want transient: %v", adapters.ClassOf(err), err)
	}
}

func testLost(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	p.Inject(t, FaultLost)
	m := message(t, p.From, "lost", []string{"a@example.com"}, nil, nil)
	_, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com"))
	if adapters.ClassOf(err) != adapters.Unknown {
		t.Errorf("class %s, want unknown: %v", adapters.ClassOf(err), err)
	}
	if n := len(p.Delivered()); n != 1 {
		t.Errorf("delivered %d times: a lost answer was repeated blindly", n)
	}
}

func testVerify(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	v, ok := p.Adapter.(adapters.Verifier)
	if ok != s.Verifies {
		t.Fatalf("is a Verifier: %v, want %v", ok, s.Verifies)
	}
	if !ok {
		return
	}
	sent, never := message(t, p.From, "sent", []string{"a@example.com"}, nil, nil),
		message(t, p.From, "never", []string{"a@example.com"}, nil, nil)
	if _, err := p.Adapter.Send(testContext(t), outgoing(t, sent, p.From, "a@example.com")); err != nil {
		t.Fatalf("Send: %v", err)
	}
	for m, want := range map[*mime.Message]adapters.Verdict{sent: adapters.Sent, never: adapters.NotSent} {
		got, _, err := v.Verify(testContext(t), adapters.VerifyRequest{Outgoing: outgoing(t, m, p.From, "a@example.com")})
		if err != nil || got != want {
			t.Errorf("Verify(%s) = %s, %v; want %s", m.Get("X-Test-Id"), got, err, want)
		}
	}
}
