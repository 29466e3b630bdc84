package smtpd

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCommand: whatever a path or parameter holds, what is taken holds nothing
// that could be another command or header line.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"FROM:<a@x.it> SIZE=10 BODY=8BITMIME", `TO:<"a b\">"@x.it> NOTIFY=NEVER ORCPT=rfc822;a+2Bb`, "FROM:<>",
		"TO:<@a,@b:c@d>", "FROM: a@b",
		`TO:<è@x.it> ORCPT=utf-8;\x{E8}`, "FROM:<a@x.it> ENVID=QQ+3D RET=HDRS AUTH=<>"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, flag bool) {
		for _, k := range []pathKind{senderPath, recipientPath} {
			path, bad := parsePath(in, k)
			if bad != nil {
				if bad.code < 500 || bad.code > 599 || bad.text == "" {
					t.Fatalf("%q: %+v", in, bad)
				}
				continue
			}
			if a, bad := address(path.Address, flag, k); bad == nil {
				if strings.ContainsAny(a.String(), "\r\n\x00") || !flag && !isASCII(a.String()) || !utf8.ValidString(a.String()) {
					t.Fatalf("%q gave %q", in, a)
				}
			}
			for _, p := range path.Params {
				for _, v := range values(p.Value, flag) {
					if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
						t.Fatalf("%q gave %q", in, v)
					}
				}
			}
		}
		if verb, _ := splitCommand([]byte(in)); strings.Contains(verb, " ") {
			t.Fatalf("%q gave the verb %q", in, verb)
		}
	})
}

// values are all that a parameter's value could be read as.
func values(v string, raw bool) []string {
	return []string{notifyWords(v), parseOrcpt(v, raw), parseEnvID(v), string(parseRet(v))}
}

func notifyWords(v string) string {
	var words []string
	for _, w := range parseNotify(v) {
		words = append(words, string(w))
	}
	return strings.Join(words, ",")
}

// TestReportParameters: what serves reports alone is read as far as it can be,
// and is dropped otherwise.
func TestReportParameters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, in, want string
		utf8           bool
	}{
		{kind: "ORCPT", in: "rfc822;a+2Bb@x.it", want: "rfc822;a+b@x.it"},
		{kind: "ORCPT", in: "RFC822;a+2bb@x.it", want: "rfc822;a+b@x.it"},
		{kind: "ORCPT", in: "rfc822;b+C3+BCcher@x.it", want: "utf-8;bücher@x.it"}, // Postfix, without SMTPUTF8
		{kind: "ORCPT", in: "rfc822;bücher@x.it", want: "utf-8;bücher@x.it", utf8: true},
		{kind: "ORCPT", in: "rfc822;a=b@x.it", want: "rfc822;a=b@x.it"},
		{kind: "ORCPT", in: "rfc822;a+b@x.it", want: "rfc822;a+b@x.it"},
		{kind: "ORCPT", in: `utf-8;\x{E8}@x.it`, want: "utf-8;è@x.it"},
		{kind: "ORCPT", in: "rfc822;a+0D+0AX: y", want: ""},
		{kind: "ORCPT", in: "rfc822;a+FF", want: ""},
		{kind: "ORCPT", in: "rfc822;a+C2+85", want: ""},
		{kind: "ORCPT", in: "x400;+C3+BC", want: ""},
		{kind: "ORCPT", in: "a@x.it", want: ""},
		{kind: "ORCPT", in: "rfc822;", want: ""},
		{kind: "ORCPT", in: "rfc822;" + strings.Repeat("x", 500), want: ""},
		{kind: "ENVID", in: "QQ+3D314+20159", want: "QQ=314 159"},
		{kind: "ENVID", in: "a=b", want: "a=b"},
		{kind: "ENVID", in: "a+3db", want: "a=b"},
		{kind: "ENVID", in: strings.Repeat("x", 101), want: ""},
		{kind: "ENVID", in: "a+0Ab", want: ""},
		{kind: "RET", in: "hdrs", want: "HDRS"},
		{kind: "RET", in: "ALL", want: ""},
		{kind: "NOTIFY", in: "success,SUCCESS,delay", want: "SUCCESS,DELAY"},
		{kind: "NOTIFY", in: "NEVER,SUCCESS", want: ""},
		{kind: "NOTIFY", in: "never", want: "NEVER"},
		{kind: "NOTIFY", in: "FAILURE,FROB", want: "FAILURE"},
		{kind: "NOTIFY", in: "", want: ""},
	} {
		var got string
		switch c.kind {
		case "ORCPT":
			got = parseOrcpt(c.in, c.utf8)
		case "ENVID":
			got = parseEnvID(c.in)
		case "RET":
			got = string(parseRet(c.in))
		case "NOTIFY":
			got = notifyWords(c.in)
		}
		if got != c.want {
			t.Errorf("%s=%s gave %q, want %q", c.kind, c.in, got, c.want)
		}
	}
}

// FuzzPrintable: a reply line stays one line that fits.
func FuzzPrintable(f *testing.F) {
	f.Add("può\r\n250 ok", true)
	f.Add(strings.Repeat("è", 600), true)
	f.Add(strings.Repeat("x ", 600), false)
	f.Fuzz(func(t *testing.T, in string, u bool) {
		s := &session{}
		if u {
			s.tx = &transaction{utf8: true}
		}
		for _, l := range wrap(nil, s.printable(in)) {
			if len(l) > replyText || strings.ContainsAny(l, "\r\n\x00") || !u && !isASCII(l) || !utf8.ValidString(l) {
				t.Fatalf("%q gave %q", in, l)
			}
		}
	})
}
