package mime

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// crlfText turns a raw literal into a message.
func crlfText(s string) string {
	return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n")
}

func mustRead(t testing.TB, s string) *Message {
	t.Helper()
	m, err := Read(Bytes([]byte(s)), Limits{})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return m
}

func text(t testing.TB, s Source) string {
	t.Helper()
	b, err := io.ReadAll(NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestForAPI(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		env      []string
		want     string // header without the rest of the message
	}{
		{"kept to the byte, moved to the front", `
Received: from x
To: "Rossi,  Mario" <MARIO@Esempio.IT>,
   b@x.it (Bruno)
Subject: =?utf-8?q?Citt=C3=A0?=
From: <a@x.it>
`, []string{"MARIO@esempio.it", "b@x.it"}, `
From: <a@x.it>
To: "Rossi,  Mario" <MARIO@Esempio.IT>,
   b@x.it (Bruno)
Received: from x
Subject: =?utf-8?q?Citt=C3=A0?=
`},
		{"hidden recipients become one Bcc, foreign Bcc vanish", `
From: a@x.it
Bcc: stranger@evil.example,
 z@x.it
To: b@x.it
Resent-Bcc: w@x.it
Subject: s
bcc : y@x.it
`, []string{"b@x.it", "z@x.it", "q@x.it", "z@X.it"}, `
From: a@x.it
To: b@x.it
Bcc: z@x.it, q@x.it
Subject: s
`},
		{"people who are not in the envelope go", `
From: a@x.it
To: Anna <anna@x.it>, "Bruno, B" <bruno@x.it>
Cc: carla@x.it
Subject: s
`, []string{"bruno@x.it"}, `
From: a@x.it
To: "Bruno, B" <bruno@x.it>
X-Postino-Not-Sent: anna@x.it, carla@x.it
Subject: s
`},
		{"no one left", `
From: a@x.it
To: anna@x.it
Subject: s
`, []string{"h@x.it"}, `
From: a@x.it
To: undisclosed-recipients:;
Bcc: h@x.it
X-Postino-Not-Sent: anna@x.it
Subject: s
`},
		{"group without members", `
From: a@x.it
To: undisclosed-recipients:;
`, []string{"h@x.it"}, `
From: a@x.it
To: undisclosed-recipients:;
Bcc: h@x.it
`},
		{"a group loses a member", `
From: a@x.it
To: Team A: anna@x.it, bruno@x.it;, c@x.it
`, []string{"bruno@x.it", "c@x.it"}, `
From: a@x.it
To: Team A: bruno@x.it;, c@x.it
X-Postino-Not-Sent: anna@x.it
`},
		{"group as it is", `
From: a@x.it
To: Team: anna@x.it, bruno@x.it;, c@x.it
`, []string{"anna@x.it", "bruno@x.it", "c@x.it"}, `
From: a@x.it
To: Team: anna@x.it, bruno@x.it;, c@x.it
`},
		{"semicolons of Outlook are written as commas", `
From: a@x.it
To: anna@x.it; bruno@x.it;
`, []string{"anna@x.it", "bruno@x.it"}, `
From: a@x.it
To: anna@x.it, bruno@x.it
`},
		{"broken entries go", `
From: a@x.it
To: all customers, anna@x.it, <>, "open <b@x.it>
`, []string{"anna@x.it"}, `
From: a@x.it
To: anna@x.it
X-Postino-Not-Sent: (2 not readable)
`},
		{"several fields become one", `
From: a@x.it
To: anna@x.it
To: bruno@x.it
`, []string{"anna@x.it", "bruno@x.it"}, `
From: a@x.it
To: anna@x.it, bruno@x.it
`},
		{"a field that some parsers do not see is written again", `
From: a@x.it
To : anna@x.it
Cc: bruno@x.it,
  
 c@x.it
`, []string{"anna@x.it", "bruno@x.it", "c@x.it"}, `
From: a@x.it
To: anna@x.it
Cc: bruno@x.it, c@x.it
`},
		{"the case of the local part is the envelope's", `
From: a@x.it
To: Anna <Anna@x.it>
`, []string{"anna@x.it"}, `
From: a@x.it
To: Anna <anna@x.it>
`},
		{"an address in a comment is no one", `
From: a@x.it
To: anna@x.it (instead of <bruno@x.it>)
`, []string{"anna@x.it"}, `
From: a@x.it
To: "instead of <bruno@x.it>" <anna@x.it>
`},
		{"names that tolerant parsers take are quoted", `
From: a@x.it
To: anna@x.it <anna@x.it>
`, []string{"anna@x.it"}, `
From: a@x.it
To: "anna@x.it" <anna@x.it>
`},
		{"a domain in two alphabets is one", `
From: a@x.it
To: Jürgen <j@MÜNCHEN.de>
`, []string{"j@xn--mnchen-3ya.de"}, `
From: a@x.it
To: =?utf-8?q?J=C3=BCrgen?= <j@xn--mnchen-3ya.de>
`},
		{"a From that careless parsers cannot read is written again", `
From: (office) a@x.it
Reply-To: Anna (x, y) <anna@x.it>
To: anna@x.it
`, []string{"anna@x.it"}, `
From: office <a@x.it>
Reply-To: Anna <anna@x.it>
To: anna@x.it
`},
		{"no visible recipient at all", `
From: a@x.it
Subject: s
`, []string{"dü@x.it", "j@münchen.de"}, `
From: a@x.it
To: undisclosed-recipients:;
Bcc: dü@x.it, j@xn--mnchen-3ya.de
Subject: s
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := mustRead(t, crlfText(tt.in+"\nBody\n"))
			src, err := m.ForAPI(mailboxes(tt.env...))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := text(t, src), crlfText(tt.want+"\nBody\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestForSMTP(t *testing.T) {
	t.Parallel()
	in := crlfText("\nFrom: a@x.it\nBCC: b@x.it,\n c@x.it\nTo: d@x.it\nResent-Bcc: e@x.it\nBcc : f@x.it\n\nBcc: body@x.it\n")
	want := crlfText("\nFrom: a@x.it\nTo: d@x.it\n\nBcc: body@x.it\n")
	if got := text(t, mustRead(t, in).ForSMTP()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	plain := crlfText("\nFrom: a@x.it\n\nx")
	if got := text(t, mustRead(t, plain).ForSMTP()); got != plain {
		t.Errorf("got %q, want %q", got, plain)
	}
}

func TestReadFields(t *testing.T) {
	t.Parallel()
	m := mustRead(t, crlfText(`
From: =?iso-8859-1?q?Nicol=F2?= <nico@X.it>
Sender: s@x.it
Reply-To: r@x.it
To: "=?utf-8?q?Citt=C3=A0?=" <to@x.it>, to@x.it,
 <@relay.example,@b:"odd one"@x.it>, nobody
Cc: A: c1@x.it, c2@x.it;, TO@x.it
Bcc: b@x.it
Subject: =?utf-8?q?a=0D=0ABcc:_x=40y?=
 second
Message-ID: <1@x.it>
Date: Sun, 22 Nov 2026 10:00:00 +0100 (CET)
Precedence: List

`))
	checks := []struct{ what, got, want string }{
		{"from", m.From()[0].Name + "|" + m.From()[0].Address.String(), "Nicolò|nico@x.it"},
		{"to", m.To()[0].Name, "Città"},
		{"sender", m.Sender()[0].Address.String(), "s@x.it"},
		{"reply-to", m.ReplyTo()[0].Address.String(), "r@x.it"},
		{"subject", m.Subject(), "a  Bcc: x@y second"},
		{"id", m.MessageID(), "<1@x.it>"},
		{"date", m.Date().UTC().String(), "2026-11-22 09:00:00 +0000 UTC"},
		{"recipients", strings.Join(addrSpecs(m.Recipients()), " "), `to@x.it "odd one"@x.it c1@x.it c2@x.it TO@x.it b@x.it`},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
	if !m.IsBulk() {
		t.Error("not bulk")
	}
	if got := len(m.BadAddresses()); got != 1 {
		t.Errorf("bad addresses: %v", m.BadAddresses())
	}
}

// TestAddressForms reads one entry in the ways that it is written.
func TestAddressForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@x.it": "a@x.it", "A.b@X.IT": "A.b@x.it", "<a@x.it>": "a@x.it", "a(c)@x.it": "a@x.it", "a@(c)x.it": "a@x.it", "a @ x.it": "a@x.it",
		"<a @x.it >": "a@x.it",
		`"a"@x.it`:   "a@x.it", `"a b"@x.it`: `"a b"@x.it`, "a@b\u00fccher.example": "a@xn--bcher-kva.example", "a@[127.0.0.1]": "a@[127.0.0.1]",
		"a b@x.it": "", "a@b@x.it": "", "a@": "", "@x.it": "",
	} {
		got := ""
		if to := mustRead(t, "To: "+in+"\r\n\r\n").To(); len(to) > 0 {
			got = to[0].Address.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestNormalizeAddress(t *testing.T) {
	t.Parallel()
	ok := map[string]string{
		"Mario@Esempio.IT":        "Mario@esempio.it",
		`"mario"@x.it`:            "mario@x.it",
		`"a b"@x.it`:              `"a b"@x.it`,
		`"a\"b@c"@x.it`:           `"a\"b@c"@x.it`,
		"jürgen@MÜNCHEN.de":       "jürgen@xn--mnchen-3ya.de",
		"a@[127.0.0.1]":           "a@[127.0.0.1]",
		"a@[ipv6:2001:DB8::1]":    "a@[IPv6:2001:db8::1]",
		"a@localhost":             "a@localhost",
		" a@x.it\u00a0":           "a@x.it",
		"a+b=c/d@my_host.x.it":    "a+b=c/d@my_host.x.it",
		"user@XN--MNCHEN-3YA.de":  "user@xn--mnchen-3ya.de",
		"o'hara!#$%&*?^`{|}~@x.y": "o'hara!#$%&*?^`{|}~@x.y",
	}
	for in, want := range ok {
		if got, err := ParseMailbox(in); err != nil || got.String() != want {
			t.Errorf("%q: got %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "a", "@x.it", "a@", "a@b@c", "a b@x.it", "a@x..it", "a@.it", "a@x.it.", "<a@x.it>",
		"a@x.it\r\nRCPT TO:<b@x.it>",
		"a\x00@x.it", `""@x.it`, `"a"b@x.it`, `"a@x.it`, "a..b@x.it", ".a@x.it", "a@-x.it", "a@x-.it", "a@[300.1.1.1]", "a@[::1]", "a@x,it",
		"\xff@x.it", "a@\xff.it", "a\u2028b@x.it", strings.Repeat("a", 250) + "@x.it", "a@" + strings.Repeat("b",
			64) + ".it", "a\r\n@x.it"} {
		if got, err := ParseMailbox(in); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
	if mailbox("a@MÜNCHEN.de") != mailbox("a@xn--mnchen-3ya.DE") || mailbox("A@x.it") == mailbox("a@x.it") {
		t.Error("equal addresses are equal values, and others are not (RFC 5321 section 2.4)")
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	many := "From: a@x.it\r\nTo: " + strings.Repeat("a@x.it,", 10_000) + "\r\n\r\n"
	for _, tt := range []struct{ name, in, code string }{
		{"no colon", "From: a@x.it\r\nhello\r\n\r\n", "bad_header"},
		{"mbox", "To: b@x.it\r\nFrom a@x.it Sun Nov 22\r\nFrom: a@x.it\r\n\r\n", "bad_header"},
		{"continuation first", " x\r\nFrom: a@x.it\r\n\r\n", "bad_header"},
		{"nul", "From: a\x00@x.it\r\n\r\n", "nul"},
		{"bare CR", "Subject: x\rBcc: b@x.it\r\n\r\n", "bare_cr"},
		{"large", strings.Repeat("X: y\r\n", 200_000) + "\r\n", "header_too_large"},
		{"recipients", many, "too_many_recipients"},
	} {
		_, err := Read(Bytes([]byte(tt.in)), Limits{})
		var e *Error
		if !asError(err, &e) || e.Code != tt.code || e.Message.String() == "" || e.Message.In("it") == "" {
			t.Errorf("%s: got %v, want code %s", tt.name, err, tt.code)
		}
	}
	if _, err := Read(Bytes([]byte(many)), Limits{Recipients: 10_002}); err != nil {
		t.Error(err)
	}
	if m := mustRead(t, ""); m.MessageID() != "" || len(m.Recipients()) != 0 {
		t.Error("empty message")
	}
}

func TestAddressListOrder(t *testing.T) {
	t.Parallel()
	m := mustRead(t, "To: (c) a@x.it (Anna), b . c @ x.it, =?utf-8?b?QW5uYQ==?= Rossi <d@x.it>,,\r\n\r\n")
	want := []Address{{"Anna", mailbox("a@x.it")}, {"", mailbox("b.c@x.it")}, {"Anna Rossi", mailbox("d@x.it")}}
	if got := m.To(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func asError(err error, e **Error) bool { return errors.As(err, e) }
