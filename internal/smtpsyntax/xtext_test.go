package smtpsyntax

import "testing"

func TestXtext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, out string }{
		{"abc", "abc"}, {"a+2Bb", "a+b"}, {"a+20b", "a b"}, {"a+3D", "a="}, {"", ""}, {"a+", "a+"}, {"a+2", "a+2"}, {"a+2b", "a+"},
		{"a=b", "a=b"},
		{"a+0D+0Ab", "a\r\nb"}, {"a+FF", "a\xff"}, {"à", "à"}, {"+-1", "+-1"},
	} {
		if out := DecodeXtext(c.in); out != c.out {
			t.Errorf("%q gave %q", c.in, out)
		}
	}
	for _, c := range []struct {
		in, out string
		raw, ok bool
	}{
		{`a\x{E8}@x.it`, "aè@x.it", false, true}, {`a\x{5C}`, `a\`, false, true}, {"aè", "aè", true, true}, {"aè", "", false, false},
		{`a\x{0A}`, "", true, false}, {`a\x{D800}`, "", true, false}, {`a\x{FFFFFFFFF}`, "", true, false}, {`a\y`, "", true, false},
		{`a\x{`, "", true, false}, {"", "", true, false},
		{"a\xff", "", true, false}, {`a\x{85}`, "", true, false},
	} {
		if out, ok := DecodeUnitext(c.in, c.raw); ok != c.ok || ok && out != c.out {
			t.Errorf("%q gave %q %v", c.in, out, ok)
		}
	}
}

func TestIsXtext(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"abc": true, "a+2Bb": true, "a+2bb": false, "a+": false, "a=b": false, "a b": false, "": false,
		"à": false} {
		if IsXtext(v) != want {
			t.Errorf("%q: %v", v, !want)
		}
	}
}
