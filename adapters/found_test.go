package adapters

import (
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	m, err := mime.Read(mime.Bytes([]byte("From: a@x.it\r\nTo: b@x.it, c@x.it\r\nMessage-ID: <1@x.it>\r\n\r\nciao\r\n")), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, envelope, to, bcc string
		at                      time.Time
		want                    Verdict
	}{
		{"the message itself", "b@x.it c@x.it", "b@x.it c@X.IT", "", noon, Sent},
		{"with its hidden recipient", "b@x.it c@x.it d@x.it", "b@x.it c@x.it", "d@x.it", noon, Sent},
		{"the copy lost its Bcc", "b@x.it c@x.it d@x.it", "b@x.it c@x.it", "", noon, Sent},
		{"another part of a split message", "d@x.it e@x.it", "b@x.it c@x.it", "", noon, NotSent},
		{"another part, both all hidden", "d@x.it e@x.it", "", "f@x.it", noon, NotSent},
		{"all hidden and the Bcc lost", "d@x.it e@x.it", "", "", noon, CannotTell},
		{"a sibling that was sent before", "c@x.it", "b@x.it", "", noon, NotSent},
		{"an earlier send of the same", "b@x.it c@x.it", "b@x.it c@x.it", "", noon.Add(-time.Hour), NotSent},
		{"clocks apart", "b@x.it c@x.it", "b@x.it c@x.it", "", noon.Add(-5 * time.Minute), Sent},
		{"no time known", "b@x.it c@x.it", "b@x.it c@x.it", "", time.Time{}, Sent},
	} {
		req := VerifyRequest{Outgoing: Outgoing{Message: m}, Since: noon}
		for _, a := range strings.Fields(c.envelope) {
			req.Envelope.Recipients = append(req.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(a)})
		}
		if got := req.Match(Found{To: strings.Fields(c.to), Bcc: strings.Fields(c.bcc), At: c.at}); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
