package sandbox

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func FuzzSMTPPath(f *testing.F) {
	for _, v := range []string{
		"FROM:<a@b.example> SIZE=1", "FROM:<>", `FROM:<"a>\" b"@c.example>`, "FROM:<ü@b.example> SMTPUTF8", "FROM:<a@[IPv6:::1]>",
		"from:<a@b> X=", "FROM: <a@b>", "FROM:<a@b", "FROM:<\x00@b>", `FROM:<"\`,
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		cmd := parseSMTPCommand([]byte("MAIL " + v))
		if cmd.verb != "MAIL" {
			t.Fatalf("verb %q", cmd.verb)
		}
		p, text := parseSMTPPath(v, "FROM:")
		if text != "" {
			return
		}
		if strings.ContainsAny(p.address, "\r\n\x00") {
			t.Fatalf("%q: control characters in %q", v, p.address)
		}
		if p.address != "" && !strings.Contains(p.address, "@") {
			t.Fatalf("%q: no domain in %q", v, p.address)
		}
		again, text := parseSMTPPath("FROM:<"+p.address+">", "FROM:")
		if text != "" || again.address != p.address {
			t.Fatalf("%q: %q is read as %q %s", v, p.address, again.address, text)
		}
	})
}

// FuzzDotReader: however the bytes come in, the message and what is found wrong
// are the same, and nothing behind the dot is touched.
func FuzzDotReader(f *testing.F) {
	for _, v := range []string{"a\r\n", "..\r\n", ".x\r\n", "a\nb\r", "\r\n.\n", "\x00\xff\r\r\n", strings.Repeat("x", 70000)} {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const tail = "QUIT\r\n"
		wire := append(append([]byte{}, data...), "\r\n.\r\n"+tail...)
		whole, k1, rest1 := readDot(t, bytes.NewReader(wire))
		slow, k2, rest2 := readDot(t, iotest.OneByteReader(bytes.NewReader(wire)))
		if !bytes.Equal(whole, slow) || rest1 != rest2 {
			t.Fatalf("%q or %q, then %q or %q", whole, slow, rest1, rest2)
		}
		if k1 != k2 {
			t.Fatalf("%+v or %+v", k1, k2)
		}
		var again contentCheck
		for _, b := range whole {
			again.feed([]byte{b})
		}
		again.end()
		if again != k1 {
			t.Fatalf("%q: in pieces %+v, at once %+v", whole, again, k1)
		}
		if !strings.HasSuffix(rest1, tail) {
			t.Fatalf("read beyond the end: %q", rest1)
		}
	})
}

func readDot(t *testing.T, r io.Reader) ([]byte, contentCheck, string) {
	t.Helper()
	var k contentCheck
	br := bufio.NewReaderSize(r, smtpBuffer)
	d := &dotReader{br: br, check: &k, alive: func() {}, newline: true}
	msg, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(br)
	if err != nil {
		t.Fatal(err)
	}
	return msg, k, string(rest)
}

func FuzzSASL(f *testing.F) {
	f.Add("user=a@b\x01auth=Bearer x\x01\x01")
	f.Add("n,a=a=2Cb@c,\x01host=h\x01auth=Bearer x\x01\x01")
	f.Add("n,,\x01\x01")
	f.Fuzz(func(t *testing.T, v string) {
		if user, token, ok := parseXOAUTH2(v); ok && v != "user="+user+"\x01auth=Bearer "+token+"\x01\x01" {
			t.Fatalf("%q: %q %q", v, user, token)
		}
		if user, token, ok := parseOAuthBearer(v); ok && (user == "" || token == "" || !strings.Contains(v, "auth") && !strings.Contains(strings.ToLower(v), "auth")) {
			t.Fatalf("%q: %q %q", v, user, token)
		}
	})
}
