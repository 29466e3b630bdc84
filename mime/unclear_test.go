package mime

import (
	"bytes"
	"strings"
	"testing"
)

// Two addresses in one entry: no one is left out in silence, and no one is
// mailed on a guess.
func TestTwoAddressesInOneEntry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value string
		want  string // empty: refused
	}{
		{`a@x.it bruno <b@y.it>`, ""},
		{`a@x.it <b@y.it>`, ""},
		{`c@x.it, Anna a@x.it <b@y.it>`, ""},
		{`Team: a@x.it bruno <b@y.it>;`, ""},
		{"a@x.it\r\n bruno <b@y.it>", ""},
		{`a@x.it "bruno" <b@y.it> (c)`, ""},
		{`b@y.it <b@y.it>`, "b@y.it"},
		{`B@Y.it <b@y.it>`, "b@y.it"},
		{`"a@x.it bruno" <b@y.it>`, "b@y.it"},
		{`bruno (a@x.it) <b@y.it>`, "b@y.it"},
		{`@bruno <b@y.it>`, "b@y.it"},
		{`a@x.it, bruno <b@y.it>`, "a@x.it b@y.it"},
		{`a@x.it; bruno <b@y.it>`, "a@x.it b@y.it"},
	} {
		t.Run(c.value, func(t *testing.T) {
			t.Parallel()
			refused := func(err error, where string) {
				t.Helper()
				if e := asOwn(err); e == nil || e.Code != "bad_address" || !strings.Contains(e.Message.String(), "a@x.it and b@y.it") ||
					!strings.Contains(e.Message.In("it"), "virgola") {
					t.Errorf("%s: %v", where, err)
				}
			}
			list, err := ParseAddressList(c.value)
			if c.want == "" {
				refused(err, "list")
			} else if got := strings.Join(specs(list), " "); err != nil || got != c.want {
				t.Errorf("list: %q %v", got, err)
			}
			for _, field := range []string{"To", "Cc", "Bcc", "Resent-To", "Resent-Bcc"} {
				for _, opt := range []AcceptOptions{acceptOptions(true), {Lenient: true, LocalDomain: home}} {
					m, _ := accepted(t, "From: Shop s@x.it <s@x.it>\r\n"+field+": "+c.value+"\r\n\r\nx\r\n", opt)
					got, err := m.HeaderRecipients()
					if c.want == "" {
						refused(err, field)
					} else if err != nil || strings.Join(addrSpecs(got), " ") != c.want {
						t.Errorf("%s: %q %v", field, got, err)
					}
					if c.want == "" && field == "To" { // the envelope decides who is mailed; the API's view is read in one way
						view, err := m.ForAPI(mailboxes("a@x.it", "b@y.it"))
						if err != nil {
							t.Fatal(err)
						}
						again, err := Read(view, Limits{})
						if err != nil || !strings.Contains(" "+strings.Join(addrSpecs(again.Recipients()), " ")+" ", " a@x.it ") {
							t.Errorf("view: %q %v", again.Recipients(), err)
						}
					}
				}
			}
		})
	}
}

func specs(list []Address) []string {
	out := make([]string, 0, len(list))
	for _, a := range list {
		out = append(out, a.Address.String())
	}
	return out
}

// Fields that are written again for their form (a long line, another charset)
// show what they showed, and the sender may have an address in the name.
func TestTwoAddressesStayVisible(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"latin":     "a@x.it Nicol\xF2 <b@y.it>",
		"long line": "a@x.it bruno <b@y.it>, " + strings.Repeat("c@z.it, ", 200) + "d@z.it",
		"twice":     "a@x.it bruno <b@y.it>\r\nTo: c@z.it",
	} {
		m, err := Accept(Bytes([]byte("From: a@x.it Shop <s@x.it>\r\nTo: "+value+"\r\n\r\nx\r\n")), acceptOptions(true))
		if err == nil {
			if from := m.From(); len(from) != 1 || from[0].Name != "a@x.it Shop" {
				t.Errorf("%s: from %v", name, from)
			}
			_, err = m.HeaderRecipients()
		}
		if e := asOwn(err); e == nil || e.Code != "bad_address" || !strings.Contains(e.Message.String(), "a@x.it") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a field of specials takes is bounded; its neighbours are read.
func TestManySpecials(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"@", "\\", ">", "<", ":", "a ", "(c)", "\"q\""} {
		in := []byte("c@x.it, " + strings.Repeat(c, 1_000_000/len(c)) + ", d@x.it")
		l := &addrList{}
		var p addrParser
		p.parse(l, in, 10)
		if len(l.boxes) != 3 || l.boxes[0].addr.Address.String() != "c@x.it" || !l.boxes[1].bad ||
			l.boxes[2].addr.Address.String() != "d@x.it" {
			t.Errorf("%q: %d entries", c, len(l.boxes))
		}
		if cap(p.toks) > 2*maxTokens {
			t.Errorf("%q: %d tokens kept", c, cap(p.toks))
		}
	}
}

// A byte order mark or an mbox line before an attached message is no part of it.
func TestMarkBeforeAttachedMessage(t *testing.T) {
	t.Parallel()
	const inner = "From: a@x.it\nSubject: in\n\nhello\n"
	for name, before := range map[string]string{"none": "", "mark": byteOrderMark, "two": byteOrderMark + byteOrderMark,
		"mbox": "From a@x.it Sun Nov 29 10:00:00 2026\n", "both": byteOrderMark + "From a@x.it Sun Nov 29 10:00:00 2026\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := seeded(Draft{From: Address{Address: mailbox("a@x.it")}, To: people("b@x.it"), Text: "t",
				Attachments: []Attachment{{Filename: "x.eml", Open: open(before + inner)}}})
			var out bytes.Buffer
			if err := Compose(&out, d); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "\r\n\r\nFrom: a@x.it\r\nSubject: in\r\n\r\nhello\r\n") ||
				strings.Contains(out.String(), byteOrderMark) {
				t.Errorf("%q", out.String())
			}
		})
	}
	part := "--b\r\nContent-Type: message/rfc822\r\n\r\n" + byteOrderMark +
		"Subject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nhello\r\n--c--\r\n--b--\r\n"
	for typ, removed := range map[string]bool{"multipart/mixed": true, "multipart/signed": false} {
		in := okHead + "MIME-Version: 1.0\r\nContent-Type: " + typ + "; boundary=b\r\n\r\n" + part
		m, out := accepted(t, in, acceptOptions(true))
		want := in
		if removed {
			want = strings.Replace(in, byteOrderMark, "", 1)
		}
		if out != want {
			t.Errorf("%s:\n%q\nwant\n%q", typ, out, want)
		}
		root, err := m.Structure()
		if err != nil {
			t.Fatal(err)
		}
		if got := root.Parts[0].Message; got == nil || got.MediaType != "multipart/mixed" || len(got.Parts) != 1 {
			t.Errorf("%s: %+v", typ, got)
		}
	}
}
