package fallback

import (
	"net"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

func TestEnvelopeLines(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@example.com":      "<a@example.com>",
		"A.b@EXAMPLE.com":    "<A.b@example.com>",
		`"a b"@example.com`:  `<"a b"@example.com>`,
		"x@bücher.example":   "<x@xn--bcher-kva.example>",
		"jürgen@example.com": "<jürgen@example.com>",
		"a@[192.0.2.1]":      "<a@[192.0.2.1]>",
		"":                   "<>",
	} {
		if got := mailLine(mime.Envelope{From: mailboxtest.Of(in)}, capabilities{}, 1, false, false); got != "MAIL FROM:"+want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
		if got := rcptLine(mime.Recipient{Address: mailboxtest.Of(in)}, true); got != "RCPT TO:"+want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// Nothing that is a Mailbox can end the command line or begin a parameter.
func FuzzRcptLine(f *testing.F) {
	for _, s := range []string{"a@example.com", `"a\"b"@example.com`, "a@b>\r\nDATA", "jürgen@bücher.example", "a@[IPv6:::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		m, err := mime.ParseMailbox(in)
		if err != nil {
			return
		}
		line := rcptLine(mime.Recipient{Address: m, ORcpt: "rfc822;" + in, Notify: []mime.Notify{mime.NotifyNever}}, true)
		if strings.ContainsAny(line, "\r\n\x00") || strings.Count(line, " NOTIFY=") != 1 && !strings.HasPrefix(m.String(), `"`) {
			t.Fatalf("%q became %q", in, line)
		}
	})
}

func TestDSNParameters(t *testing.T) {
	t.Parallel()
	dsn := capabilities{ext: map[string]string{"DSN": ""}}
	for _, c := range []struct {
		env  mime.Envelope
		want string
	}{
		{mime.Envelope{Ret: "FULL", EnvID: "a b+c=d\r\n"}, " RET=FULL ENVID=a+20b+2Bc+3Dd+0D+0A"},
		{mime.Envelope{Ret: "SOME BODY=x", EnvID: strings.Repeat("x", 101)}, ""},
	} {
		if got := mailLine(c.env, dsn, 1, false, false); got != "MAIL FROM:<>"+c.want {
			t.Errorf("%q", got)
		}
	}
	for _, c := range []struct {
		r    mime.Recipient
		want string
	}{
		{mime.Recipient{Notify: []mime.Notify{"SUCCESS", "DELAY"}, ORcpt: "rfc822;a+b@x"}, " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x"},
		{mime.Recipient{Notify: []mime.Notify{"NEVER", "SUCCESS"}}, ""},
		{mime.Recipient{Notify: []mime.Notify{"SUCCESS\r\nDATA"}, ORcpt: "rfc 822;x"}, ""},
		{mime.Recipient{ORcpt: "utf-8;jü\\+@x"}, ` ORCPT=utf-8;j\x{FC}\x{5C}\x{2B}@x`},
	} {
		c.r.Address = mailboxtest.Of("b@x")
		if got := rcptLine(c.r, true); got != "RCPT TO:<b@x>"+c.want {
			t.Errorf("%q", got)
		}
	}
}

func TestEHLOName(t *testing.T) {
	t.Parallel()
	v4, v6 := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, &net.TCPAddr{IP: net.ParseIP("2001:db8::1")}
	for _, c := range []struct {
		name  string
		local net.Addr
		want  string
	}{
		{"mail.example.com", v4, "mail.example.com"}, {"3f2a1b", v4, "[192.0.2.7]"}, {"", v6, "[IPv6:2001:db8::1]"},
		{"bad name.example", v4, "[192.0.2.7]"}, {"x.example\r\nQUIT", v4, "[192.0.2.7]"}, {"", nil, "[127.0.0.1]"},
		{"-a.example", v4, "[192.0.2.7]"},
	} {
		if got := ehloName(c.name, c.local); got != c.want {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}
