package smtpd

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestXtext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, out string
		ok      bool
	}{
		{"abc", "abc", true}, {"a+2Bb", "a+b", true}, {"a+20b", "a b", true}, {"a+3D", "a=", true},
		{"", "", false}, {"a+", "", false}, {"a+2", "", false}, {"a+2b", "", false}, {"a=b", "", false},
		{"a+0D+0Ab", "", false}, {"a+00", "", false}, {"a+FF", "", false}, {"à", "", false}, {"a b", "", false},
	} {
		if out, ok := decodeXtext(c.in); ok != c.ok || ok && out != c.out {
			t.Errorf("%q gave %q %v", c.in, out, ok)
		}
	}
	for _, c := range []struct {
		in, out string
		raw, ok bool
	}{
		{`a\x{E8}@x.it`, "aè@x.it", false, true}, {`a\x{5C}`, `a\`, false, true}, {"aè", "aè", true, true}, {"aè", "", false, false},
		{`a\x{0A}`, "", true, false}, {`a\x{D800}`, "", true, false}, {`a\x{FFFFFFFFF}`, "", true, false}, {`a\y`, "", true, false}, {`a\x{`, "", true, false}, {"", "", true, false},
		{"a\xff", "", true, false}, {`a\x{85}`, "", true, false},
	} {
		if out, ok := decodeUnitext(c.in, c.raw); ok != c.ok || ok && out != c.out {
			t.Errorf("%q gave %q %v", c.in, out, ok)
		}
	}
}

// FuzzCommand: whatever a path or parameter holds, what is taken holds nothing
// that could be another command or header line.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"FROM:<a@x.it> SIZE=10 BODY=8BITMIME", `TO:<"a b\">"@x.it> NOTIFY=NEVER ORCPT=rfc822;a+2Bb`, "FROM:<>", "TO:<@a,@b:c@d>", "FROM: a@b",
		`TO:<è@x.it> ORCPT=utf-8;\x{E8}`, "FROM:<a@x.it> ENVID=QQ+3D RET=HDRS AUTH=<>"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, flag bool) {
		for _, k := range []string{"FROM:", "TO:"} {
			path, params, bad := parsePath(in, k, flag)
			if bad != nil {
				if bad.code < 500 || bad.code > 599 || bad.text == "" {
					t.Fatalf("%q: %+v", in, bad)
				}
				continue
			}
			if a, bad := address(path, flag, "5.1.3"); bad == nil {
				if strings.ContainsAny(a, "\r\n\x00") || !flag && !isASCII(a) || !utf8.ValidString(a) {
					t.Fatalf("%q gave %q", in, a)
				}
			}
			for _, p := range params {
				for _, v := range values(p.value, flag) {
					if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
						t.Fatalf("%q gave %q", in, v)
					}
				}
			}
		}
		_, _, _ = parseBdat(in)
		if verb, _ := splitCommand([]byte(in)); strings.Contains(verb, " ") {
			t.Fatalf("%q gave the verb %q", in, verb)
		}
	})
}

// values are all that a parameter's value could be read as.
func values(v string, raw bool) (out []string) {
	if x, ok := decodeXtext(v); ok {
		out = append(out, x)
	}
	if x, ok := parseOrcpt(v, raw); ok {
		out = append(out, x)
	}
	if x, ok := parseNotify(v); ok {
		out = append(out, x...)
	}
	return out
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
