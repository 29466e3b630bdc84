package mime

import (
	stdmime "mime"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodeWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                              "plain",
		"=?utf-8?q?Perch=C3=A9?=":            "Perché",
		"a =?utf-8?q?b?= c":                  "a b c",
		"=?utf-8?q?a?= \t=?utf-8?q?b?=":      "ab",
		"=?utf-8?q?a?= =?iso-8859-1?q?=e8?=": "aè",
		"=?utf-8?b?w6g=?= =?UTF-8?B?w6g?=":   "èè", // the second without padding
		"=?utf-8?q?=C3?= =?utf-8?q?=A8?=":    "è",  // cut inside of a character
		"=?utf-8*it?q?=C3=A8?=":              "è",  // RFC 2231 section 5
		"=?utf-8?q?Come_va??=":               "Come va?",
		"=?utf-8?Q?Rossi, Anna?=":            "Rossi, Anna",
		"=?utf-8?q??=x":                      "x",
		"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=": "日本",
		"=?no-such?q?a?= =?utf-8?q?b?=":      "=?no-such?q?a?= b",
		"=?utf-8?q?a?= =?no-such?q?b?= x":    "a=?no-such?q?b?= x",
		"=?utf-8?x?a?= =?utf-8?q?=4?= =?":    "=?utf-8?x?a?= =?utf-8?q?=4?= =?",
		"=?utf-8?q?a=?= =?utf-8?q?b?=":       "=?utf-8?q?a=?= b",
		"=?=?=?utf-8?q?a?=":                  "=?=?a",
		"=?utf-8?q?a=0D=0ABcc:_x?=":          "a  Bcc: x",
		"=?utf-8?q?=FF?=":                    "\uFFFD",
		"=??q?a?=":                           "=??q?a?=",
		"=?utf-8?q":                          "=?utf-8?q",
	} {
		if got := decodeWords(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzWords: one line of UTF-8, and what the standard library decodes of words
// in UTF-8 apart from each other.
func FuzzWords(f *testing.F) {
	f.Add("=?utf-8?q?a=3D?= b =?utf-8?b?YQ==?=")
	f.Add("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?= =?x?q?a?=")
	f.Fuzz(func(t *testing.T, in string) {
		got := decodeWords(in)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("%q: %q", in, got)
		}
		if !isASCII(in) || strings.Count(in, "=?") != 1 || !strings.HasPrefix(in, "=?utf-8?") {
			return
		}
		var dec stdmime.WordDecoder
		if want, err := dec.DecodeHeader(in); err == nil && want != in && sanitize(strings.ToValidUTF8(want, "\uFFFD")) != got {
			t.Errorf("%q: %q, the library says %q", in, got, want)
		}
	})
}
