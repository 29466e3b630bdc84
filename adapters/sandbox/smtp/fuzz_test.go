package smtp

import (
	"strings"
	"testing"
)

func FuzzSMTPPath(f *testing.F) {
	for _, v := range []string{
		"FROM:<a@b.example> SIZE=1", "FROM:<>", `FROM:<"a>\" b"@c.example>`, "FROM:<ü@b.example> SMTPUTF8", "FROM:<a@[IPv6:::1]>",
		"from:<a@b> X=", "FROM: <a@b>", "FROM:<a@b", "FROM:<\x00@b>", `FROM:<"\`,
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		cmd := parseCommand([]byte("MAIL " + v))
		if cmd.verb != "MAIL" {
			t.Fatalf("verb %q", cmd.verb)
		}
		p, text := parsePath(v, "FROM:")
		if text != "" {
			return
		}
		if strings.ContainsAny(p.Address, "\r\n\x00") {
			t.Fatalf("%q: control characters in %q", v, p.Address)
		}
		if p.Address != "" && !strings.Contains(p.Address, "@") {
			t.Fatalf("%q: no domain in %q", v, p.Address)
		}
		again, text := parsePath("FROM:<"+p.Address+">", "FROM:")
		if text != "" || again.Address != p.Address {
			t.Fatalf("%q: %q is read as %q %s", v, p.Address, again.Address, text)
		}
	})
}

// FuzzContentCheck: what is found does not depend on how the content is cut.
func FuzzContentCheck(f *testing.F) {
	for _, v := range []string{"a\r\n", "..\r\n", "a\nb\r", "\r\n.\n", "\x00\xff\r\r\n", strings.Repeat("x", 1000)} {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var whole, pieces contentCheck
		whole.feed(data)
		whole.end()
		for _, b := range data {
			pieces.feed([]byte{b})
		}
		pieces.end()
		if whole != pieces {
			t.Fatalf("%q: in pieces %+v, at once %+v", data, pieces, whole)
		}
	})
}

func FuzzSASL(f *testing.F) {
	f.Add("user=a@b\x01auth=Bearer x\x01\x01")
	f.Add("n,a=a=2Cb@c,\x01host=h\x01auth=Bearer x\x01\x01")
	f.Add("n,,\x01\x01")
	f.Fuzz(func(t *testing.T, v string) {
		if user, token, ok := parseXOAUTH2(v); ok && v != "user="+user+"\x01auth=Bearer "+token+"\x01\x01" {
			t.Fatalf("%q: %q %q", v, user, token)
		}
		if user, token, ok := parseOAuthBearer(v); ok && (user == "" || token == "" || !strings.Contains(v, "auth") &&
			!strings.Contains(strings.ToLower(v), "auth")) {
			t.Fatalf("%q: %q %q", v, user, token)
		}
	})
}
