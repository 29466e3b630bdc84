package fallback

import (
	"net"
	"strings"
	"testing"

	"github.com/postino-mail/postino/mime"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@example.com":               "<a@example.com>",
		"A.b@EXAMPLE.com":             "<A.b@example.com>",
		`"a b"@example.com`:           `<"a b"@example.com>`,
		"x@bücher.example":            "<x@xn--bcher-kva.example>",
		"jürgen@example.com":          "<jürgen@example.com>",
		"a@[192.0.2.1]":               "<a@[192.0.2.1]>",
		"a@example.com>\r\nDATA":      "",
		"a@example.com> NOTIFY=NEVER": "",
		"a b@example.com":             "",
		"a@example.com\x00":           "",
		"<a@example.com>":             "",
		"":                            "",
		"a":                           "",
		"@example.com":                "",
		"a@":                          "",
		strings.Repeat("a", 500) + "@example.com": "",
	} {
		p, err := parsePath(in)
		if want == "" && err == nil || want != "" && (err != nil || p.String() != want) {
			t.Errorf("%q: %s, %v, want %s", in, p, err, want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a@example.com", `"a\"b"@example.com`, "a@b>\r\nDATA", "jürgen@bücher.example", "a@[IPv6:::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := parsePath(in)
		if err != nil {
			return
		}
		line := rcptLine(p, mime.Recipient{Address: in, ORcpt: "rfc822;" + in, Notify: []string{"NEVER"}}, true)
		if strings.ContainsAny(line, "\r\n\x00") || strings.Count(line, " NOTIFY=") != 1 && !strings.HasPrefix(p.addr, `"`) {
			t.Fatalf("%q gave %q", in, line)
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
		if got := mailLine(path{}, c.env, dsn, 1, false, false); got != "MAIL FROM:<>"+c.want {
			t.Errorf("%q", got)
		}
	}
	for _, c := range []struct {
		r    mime.Recipient
		want string
	}{
		{mime.Recipient{Notify: []string{"SUCCESS", "DELAY"}, ORcpt: "rfc822;a+b@x"}, " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x"},
		{mime.Recipient{Notify: []string{"NEVER", "SUCCESS"}}, ""},
		{mime.Recipient{Notify: []string{"SUCCESS\r\nDATA"}, ORcpt: "rfc 822;x"}, ""},
		{mime.Recipient{ORcpt: "utf-8;jü\\+@x"}, ` ORCPT=utf-8;j\x{FC}\x{5C}\x{2B}@x`},
	} {
		if got := rcptLine(path{addr: "b@x"}, c.r, true); got != "RCPT TO:<b@x>"+c.want {
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
