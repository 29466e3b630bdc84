package fallback

import (
	"errors"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// Certified mail goes to those in To and Cc alone (contracts K6).
func TestBlindCopies(t *testing.T) {
	t.Parallel()
	certified := []*Settings{{Host: "SMTPS.pec.aruba.it"}, {Host: "sendm.cert.legalmail.it", PEC: true}, {Host: "mail.example.com", PEC: true}}
	plain := &Settings{Host: "smtps.aruba.it"}
	for _, c := range []struct {
		name    string
		head    string
		rcpts   []string
		refused bool
	}{
		{"To and Cc", "To: a@pec.it\r\nCc: Anna <b@pec.it>\r\n", []string{"a@pec.it", "b@pec.it"}, false},
		{"another case", "To: Anna.Rossi@pec.it\r\n", []string{"anna.rossi@pec.it"}, false},
		{"some of To", "To: a@pec.it, b@pec.it\r\n", []string{"b@pec.it"}, false},
		{"Bcc", "To: a@pec.it\r\nBcc: b@pec.it\r\n", []string{"a@pec.it", "b@pec.it"}, true},
		{"the envelope alone", "To: a@pec.it\r\n", []string{"a@pec.it", "b@pec.it"}, true},
		{"no one named", "", []string{"a@pec.it"}, true},
		{"in Bcc and in To", "To: a@pec.it\r\nBcc: a@pec.it\r\n", []string{"a@pec.it"}, false},
		{"Resent-To", "To: a@pec.it\r\nResent-To: b@pec.it\r\n", []string{"b@pec.it"}, true},
	} {
		m, err := mime.Read(mime.Bytes([]byte("From: studio@pec.it\r\nMessage-ID: <1@pec.it>\r\n"+c.head+"\r\nx\r\n")), mime.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of("studio@pec.it")}}
		for _, a := range c.rcpts {
			out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(a)})
		}
		check := func(s *Settings) error {
			a, err := New(&adapters.Connection{Name: "x", Provider: adapters.SMTP, From: "studio@pec.it", Settings: s}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			return a.Check(out)
		}
		for _, s := range certified {
			err := check(s)
			var e *adapters.Error
			refused := errors.As(err, &e) && e.Code == "pec_bcc" && e.Class == adapters.Permanent && e.Hint.In("it") != e.Hint.String()
			if refused != c.refused ||
				err != nil && !c.refused {
				t.Errorf("%s to %s: %v", c.name, s.Host, err)
			}
		}
		if err := check(plain); err != nil {
			t.Errorf("%s, not certified: %v", c.name, err)
		}
	}
	if l := certified[0].Limits(); l.Concurrency != 1 {
		t.Errorf("%d logins at once", l.Concurrency)
	}
}
