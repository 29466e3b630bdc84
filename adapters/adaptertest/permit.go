package adaptertest

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

var errLost = errors.New("another has the delivery")

// testPermit: whenever the sender loses its right, to the last moment at which
// it is asked, nothing is sent and nothing is in doubt.
func testPermit(t *testing.T, s Suite) {
	for _, size := range []int64{0, 5 << 20} {
		name := "small"
		if size > 0 {
			name = "large"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := permitted(t, s, size, 0)
			if asked == 0 {
				t.Fatal("Permit was not asked")
			}
			for _, at := range []int64{1, asked / 2, asked - 1, asked} {
				if at > 0 {
					permitted(t, s, size, at)
				}
			}
		})
	}
}

// permitted sends one message, losing the right at the given question (0: never),
// and returns how often it was asked for.
func permitted(t *testing.T, s Suite, size, at int64) int64 {
	t.Helper()
	p := s.open(t, adapters.Limits{})
	m := message(t, p.From, "permit", []string{"a@example.com"}, nil, nil)
	if size > 0 {
		var err error
		if m, err = mime.Read(big(m, size), mime.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	out := outgoing(t, m, p.From, "a@example.com")
	var asked atomic.Int64
	out.Permit = func() error {
		if n := asked.Add(1); at > 0 && n >= at {
			return errLost
		}
		return nil
	}
	_, err := p.Adapter.Send(testContext(t), out)
	delivered := len(p.Delivered())
	switch {
	case at == 0 && (err != nil || delivered != 1):
		t.Errorf("with the right to send: %v, %d delivered", err, delivered)
	case at > 0 && (adapters.ClassOf(err) != adapters.Transient || !errors.Is(err, errLost) || delivered != 0):
		t.Errorf("the right was lost at question %d: %v (class %s), %d delivered", at, err, adapters.ClassOf(err), delivered)
	}
	return asked.Load()
}
