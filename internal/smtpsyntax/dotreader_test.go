package smtpsyntax

import (
	"bytes"
	"strings"
	"testing"
)

// decode feeds in pieces of n octets.
func decode(in string, lax bool, n int) (out string, used int, end DataState, f Flaw) {
	d := DotReader{AllowBareLF: lax}
	var b bytes.Buffer
	for used < len(in) {
		piece := in[used:min(used+n, len(in))]
		k, e := d.Feed([]byte(piece), func(p []byte) { b.Write(p) })
		used += k
		if e != DataOpen {
			return b.String(), used, e, d.Flaws
		}
		if k != len(piece) {
			return b.String(), used, 99, d.Flaws
		}
	}
	return b.String(), used, DataOpen, d.Flaws
}

func TestDotReader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, out string
		end     DataState
		flaws   Flaw
		lax     bool
	}{
		{in: ".\r\n", end: DataEnd},
		{in: "a\r\n.\r\n", out: "a\r\n", end: DataEnd},
		{in: "a\r\n..\r\n.\r\n", out: "a\r\n.\r\n", end: DataEnd},
		{in: ".a\r\n...\r\n.\r\nQUIT\r\n", out: "a\r\n..\r\n", end: DataEnd},
		{in: "a.\r\n.b.\r\n.\r\n", out: "a.\r\nb.\r\n", end: DataEnd},
		{in: "\r\n\r\n.\r\n", out: "\r\n\r\n", end: DataEnd},
		{in: "a", out: "a"},
		{in: "a\n.\r\n", end: DataAmbiguous, flaws: FlawBareLF},
		{in: "a\n.\n", end: DataAmbiguous, flaws: FlawBareLF},
		{in: "a\r\n.\n", end: DataAmbiguous, flaws: FlawBareLF},
		{in: ".\n", end: DataAmbiguous, flaws: FlawBareLF},
		{in: "a\r.\rb", end: DataAmbiguous, flaws: FlawBareCR},
		{in: "a\r.\r\n", end: DataAmbiguous, flaws: FlawBareCR},
		{in: "a\r\n.\rb", end: DataAmbiguous, flaws: FlawBareCR},
		{in: "a\r\n.\r\r\n", end: DataAmbiguous, flaws: FlawBareCR},
		{in: "a\n\n\n.\r\n", end: DataAmbiguous, flaws: FlawBareLF},
		{in: "a\nb\r\n.\r\n", end: DataEnd, flaws: FlawBareLF},
		{in: "a\r\r\n.\r\n", end: DataEnd, flaws: FlawBareCR},
		{in: "a\n\r\n.\r\n", end: DataEnd, flaws: FlawBareLF},
		{in: "a\r\n\x00.\r\n.\r\n", end: DataEnd, flaws: FlawNUL},
		{in: "\x00\r\n.\r\n", end: DataEnd, flaws: FlawNUL},
		{lax: true, in: "a\n.\n", out: "a\n", end: DataEnd},
		{lax: true, in: "a\n.\r\n", out: "a\n", end: DataEnd},
		{lax: true, in: "a\n..b\r\n.\nrest", out: "a\n.b\r\n", end: DataEnd},
		{lax: true, in: "a\n\r\n.\r\nrest", out: "a\n\r\n", end: DataEnd},
		{lax: true, in: "a\r\n..b\n.\nrest", end: DataAmbiguous, flaws: FlawBareLF},
		{lax: true, in: "a\r\nb\nc\rd\r\n.\r\nrest", out: "a\r\nb\nc\rd\r\n", end: DataEnd},
		{lax: true, in: "a\r\nb\r\n.\nrest", end: DataAmbiguous, flaws: FlawBareLF},
		{lax: true, in: "a\r\nb\n.\r\nrest", end: DataAmbiguous},
		{lax: true, in: "a\r\nb\r\n.\rrest", end: DataAmbiguous},
		{lax: true, in: "a\r.\rb\n.\n", out: "a\r.\rb\n", end: DataEnd},
		{lax: true, in: "\n.\rx\n.\r\r\n.\n", out: "\n\rx\n\r\r\n", end: DataEnd},
	} {
		for n := 1; n <= len(c.in); n++ {
			out, used, end, f := decode(c.in, c.lax, n)
			if end != c.end || f != c.flaws || c.flaws == 0 && c.end != DataAmbiguous && out != c.out {
				t.Errorf("%q lax=%v in pieces of %d: %q, end %v, flaws %v; want %q, %v, %v", c.in, c.lax, n, out, end, f, c.out, c.end, c.flaws)
			}
			if i := strings.Index(c.in, "\r\n.\r\n"); end == DataEnd && i >= 0 && f == 0 && !c.lax && used != i+5 {
				t.Errorf("%q in pieces of %d: %d octets were used", c.in, n, used)
			}
		}
	}
}

// FuzzDotReader compares with a decoder that looks at whole text: strict input ends
// at the first CR LF . CR LF, its content comes back, nothing depends on how it
// is cut, and whatever any lenient server could take for an end before that is
// never passed over.
func FuzzDotReader(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", "..a\r\n.\r\n", "a\n.\n", "a\r.\r", "\r\n.\r\r\n.\r\n", "a\x00\r\n.\r\n"} {
		f.Add(s, 3, false)
		f.Add(s, 1, true)
	}
	f.Fuzz(func(t *testing.T, in string, n int, lax bool) {
		if n < 1 || n > 1000 {
			n = 7
		}
		out, used, end, flaws := decode(in, lax, n)
		whole, usedWhole, endWhole, flawsWhole := decode(in, lax, len(in)+1)
		if end != endWhole || flaws != flawsWhole || end != DataOpen && used != usedWhole || flaws == 0 && end != DataAmbiguous && out != whole {
			t.Fatalf("%q in pieces of %d: %q %d %v %v, whole: %q %d %v %v", in, n, out, used, end, flaws, whole, usedWhole, endWhole, flawsWhole)
		}
		if lax {
			// Behind a first line that ended with CR LF nothing ends the message that
			// a strict reader would not take for its end.
			if i := strings.IndexByte(in, '\n'); i > 0 && in[i-1] == '\r' {
				if _, at, e, _ := decode(in, false, n); strings.IndexByte(in[:i-1], '\r') < 0 && (e != end || at != used) {
					t.Fatalf("%q: lax %v at %d, strict %v at %d", in, end, used, e, at)
				}
			}
			return
		}
		at := strings.Index("\r\n"+in, "\r\n.\r\n")
		if end == DataEnd && flaws == 0 {
			if at < 0 || used != at+3 {
				t.Fatalf("%q ended at %d, the end is at %d", in, used, at)
			}
			want := strings.ReplaceAll("\r\n"+in[:at], "\r\n.", "\r\n")[2:]
			if out != want {
				t.Fatalf("%q gave %q, want %q", in, out, want)
			}
		}
		if end == DataOpen && at >= 0 {
			t.Fatalf("%q did not end", in)
		}
		if end != DataAmbiguous {
			content := "\r\n" + in[:used]
			if end == DataEnd {
				content = content[:len(content)-3]
			}
			for _, before := range []string{"\r\n", "\n", "\r"} {
				for _, after := range []string{"\n", "\r\n"} {
					if i := strings.Index(content, before+"."+after); i >= 0 {
						t.Fatalf("%q passed over %q", in, before+"."+after)
					}
				}
			}
		}
	})
}
