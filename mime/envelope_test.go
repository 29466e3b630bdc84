package mime

import (
	"errors"
	"strings"
	"testing"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, head, from, to, code string }{
		{"each once", "From: a@x.it\nTo: B <b@X.it>, c@x.it\nCc: b@x.it\nBcc: d@x.it\n", "a@x.it", "b@x.it c@x.it d@x.it", ""},
		{"sender", "From: a@x.it, b@x.it\nSender: s@x.it\nTo: c@x.it\n", "s@x.it", "c@x.it", ""},
		{"sent again", "Resent-From: r@x.it\nResent-To: e@x.it\nFrom: a@x.it\nTo: b@x.it\n", "r@x.it", "e@x.it", ""},
		{"no one", "From: a@x.it\n", "", "", "no_recipients"},
		{"half of one", "From: a@x.it\nTo: b@x.it, c@@x\n", "", "", "bad_address"},
	} {
		m, err := Read(Bytes([]byte(strings.ReplaceAll(c.head, "\n", "\r\n")+"\r\n")), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		env, err := m.Envelope()
		var to []string
		for _, r := range env.Recipients {
			to = append(to, r.Address.String())
		}
		code := ""
		if e := new(Error); errors.As(err, &e) {
			code = e.Code
		}
		if env.From.String() != c.from || strings.Join(to, " ") != c.to || code != c.code {
			t.Errorf("%s: %q to %q, %v", c.name, env.From, to, err)
		}
	}
}
