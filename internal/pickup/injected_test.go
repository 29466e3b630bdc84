package pickup

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
)

func content(t *testing.T, st store.Store, id store.ID) string {
	t.Helper()
	c, err := st.Content(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The envelope of .NET, IIS and Exchange is taken out of the message.
func TestInjectedEnvelope(t *testing.T) {
	t.Parallel()
	const rest = "MIME-Version: 1.0\nFrom: erp@contoso.it\nTo: anna@example.com\nSubject: s\n\nX-Receiver: body@example.com\n"
	for name, c := range map[string]struct{ in, from, to, left string }{
		".NET": {"X-Sender: erp@contoso.it\nX-Receiver: anna@example.com\nX-Receiver: hidden@example.com\n" + rest,
			"erp@contoso.it!", "anna@example.com hidden@example.com", rest},
		"any letter case": {"x-sender: erp@contoso.it\nX-RECEIVER : anna@example.com\n" + rest, "erp@contoso.it!", "anna@example.com",
			rest},
		"receivers alone": {"X-Receiver: hidden@example.com\n" + rest, "", "hidden@example.com", rest},
		"sender alone":    {"X-Sender: <erp@contoso.it>\n" + rest, "erp@contoso.it!", "", rest},
		"null sender":     {"X-Sender: <>\nX-Receiver: <anna@example.com>\n" + rest, "!", "anna@example.com", rest},
		"folded": {"X-Sender:\n erp@contoso.it\nX-Receiver: anna@example.com,\n\thidden@example.com\n" + rest,
			"erp@contoso.it!", "anna@example.com hidden@example.com", rest},
		"names": {"X-Sender: \"Rossi, A\" <erp@contoso.it>\nX-Receiver: Anna <anna@example.com>\n" + rest, "erp@contoso.it!",
			"anna@example.com", rest},
		"below others": {"X-Sender: erp@contoso.it\nMIME-Version: 1.0\nX-Receiver: hidden@example.com\nFrom: erp@contoso.it\n\n",
			"erp@contoso.it!", "hidden@example.com", "MIME-Version: 1.0\nFrom: erp@contoso.it\n\n"},
		"byte order mark": {"\xEF\xBB\xBFX-Receiver: hidden@example.com\n" + rest, "", "hidden@example.com", rest},
		"Exchange Replay": {"X-Receiver: <anna@example.com> NOTIFY=SUCCESS,FAILURE ORcpt=rfc822;anna@example.com\nX-Sender: " +
			"<erp@contoso.it> BODY=8bitmime RET=HDRS\nX-CreatedBy: MSExchange15\nX-EndOfInjectedXHeaders: 123\n" + rest, "erp@contoso.it!",
			"anna@example.com[SUCCESS FAILURE]", rest},
		"Roundcube's": {"MIME-Version: 1.0\nX-Sender: me@x.it\nX-Receiver: old@x.it\nFrom: erp@contoso.it\n\n", "", "",
			"MIME-Version: 1.0\nX-Sender: me@x.it\nX-Receiver: old@x.it\nFrom: erp@contoso.it\n\n"},
		"no line end":               {"X-Receiver: hidden@example.com\nFrom: a@b.it", "", "hidden@example.com", "From: a@b.it"},
		"nothing":                   {"", "", "", ""},
		"no receiver address":       {"X-Receiver: Anna Rossi\n" + rest, "", "bad_address", ""},
		"two senders":               {"X-Sender: a@x.it\nX-Sender: b@x.it\n" + rest, "", "several_senders", ""},
		"smuggled":                  {"X-Receiver: <a@x.it>RCPT <b@x.it>\n" + rest, "", "bad_address", ""},
		"a receiver that is no one": {"X-Receiver: <>\n" + rest, "", "bad_address", ""},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			in, err := readInjected(strings.NewReader(strings.ReplaceAll(c.in, "\n", eol)))
			var r *submit.Refusal
			if errors.As(err, &r) {
				if r.Code != c.to || r.Message.In("it") == "" {
					t.Errorf("%s: %v", name, r)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			left, err := io.ReadAll(in.rest)
			var to []string
			for _, x := range in.envelope.Recipients {
				a := x.Address.String()
				if len(x.Notify) > 0 {
					a += fmt.Sprint(x.Notify)
				}
				to = append(to, a)
			}
			from := in.envelope.From.String()
			if in.sender {
				from += "!"
			}
			if err != nil || from != c.from || strings.Join(to, " ") != c.to || string(left) != strings.ReplaceAll(c.left, "\n", eol) {
				t.Errorf("%s: %s -> %s, %v, left:\n%s", name, from, to, err, left)
			}
		}
	}
	long := "X-Receiver: a@x.it" + strings.Repeat(" ", 100<<10) + "\n" + rest
	if in, err := readInjected(strings.NewReader(long)); err != nil || len(in.envelope.Recipients) != 1 {
		t.Errorf("a long line: %v", err)
	}
	if _, err := readInjected(strings.NewReader("X-Sender: a@x.it\nX: " + strings.Repeat("y", 2<<20))); err == nil {
		t.Error("an endless header passed")
	}
}

func TestHiddenRecipient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Dir: dir})
	drop(t, dir, "net.eml", "X-Sender: erp@contoso.it\r\nX-Receiver: anna@example.com\r\nX-Receiver: hidden@example.com\r\nFrom: "+
		"erp@contoso.it\r\nTo: anna@example.com\r\nSubject: s\r\n\r\nx\r\n")
	drop(t, dir, "null.eml", "X-Sender: <>\r\nX-Receiver: anna@example.com\r\nFrom: erp@contoso.it\r\nSubject: null\r\n\r\nx\r\n")
	drop(t, dir, "resent.eml", "From: erp@contoso.it\r\nTo: original@example.com\r\nResent-From: sec@contoso.it\r\nResent-To: "+
		"new@example.com\r\nSubject: r\r\n\r\nx\r\n")
	p.Look(t.Context())
	q := queued(t, st)
	if len(q) != 3 {
		t.Fatalf("%d messages; failed: %s", len(q), names(t, dir+"/failed"))
	}
	for i, want := range []string{"erp@contoso.it anna@example.com hidden@example.com", " anna@example.com",
		"sec@contoso.it new@example.com"} {
		got := q[i].Message.Envelope.From.String()
		for _, r := range q[i].Delivery.Recipients {
			got += " " + r.Address.String()
		}
		if got != want || strings.Contains(content(t, st, q[i].Message.ID), "hidden") {
			t.Errorf("%s, want %s\n%s", got, want, content(t, st, q[i].Message.ID))
		}
	}
}

func FuzzInjected(f *testing.F) {
	f.Add("X-Sender: a@x.it\r\nX-Receiver: <b@x.it> NOTIFY=NEVER\r\n\r\nbody")
	f.Add("x-receiver:\n b@x.it\nFrom: a\n\nX-Receiver: no@x.it\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := readInjected(strings.NewReader(in))
		if err != nil {
			return
		}
		left, err := io.ReadAll(got.rest)
		if err != nil || len(left) > len(in) {
			t.Fatalf("%d of %d octets, %v", len(left), len(in), err)
		}
		if len(got.envelope.Recipients) == 0 && !got.sender && len(left) < len(in) &&
			!strings.HasPrefix(strings.ToLower(strings.TrimPrefix(in, "\xEF\xBB\xBF")), "x-") {
			t.Error("octets were lost")
		}
	})
}
