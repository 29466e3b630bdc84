package smtpsyntax

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arg       string
		address   string
		params    int
		irregular string // part of it
		bad       Problem
	}{
		{arg: "FROM:<>"},
		{arg: "FROM:<a@b.it>", address: "a@b.it"},
		{arg: "from:<a@b.it> SIZE=1 smtputf8", address: "a@b.it", params: 2},
		{arg: `FROM:<"a>\" b"@b.it>`, address: `"a>\" b"@b.it`},
		{arg: "FROM: <a@b.it>", address: "a@b.it", irregular: "after the colon"},
		{arg: "FROM:a@b.it SIZE=1", address: "a@b.it", params: 1, irregular: "no angle brackets"},
		{arg: "FROM:<<a@b.it>>", address: "a@b.it", irregular: "doubled"},
		{arg: "FROM:< a@b.it\t>", address: "a@b.it", irregular: "inside the angle brackets"},
		{arg: "FROM:<@x.it,@y.it:a@b.it>", address: "a@b.it", irregular: "source route"},
		{arg: "FROM:<a@b.it>\tSIZE=1", address: "a@b.it", params: 1, irregular: "tab"},
		{arg: "FROM:<a@b.it> SIZE=1 size=2", address: "a@b.it", params: 2, irregular: "twice"},
		{arg: "FROM:<a@b.it> SIZE=", address: "a@b.it", params: 1, irregular: "value"},
		{arg: "FROM:<a@b.it> ENVID=a=b", address: "a@b.it", params: 1, irregular: "value"},
		{arg: "TO:<a@b.it>", bad: PathMissing},
		{arg: "FROM:", bad: PathMissing},
		{arg: "FROM <a@b.it>", bad: PathMissing},
		{arg: "FROM:<a@b.it", bad: PathUnclosed},
		{arg: `FROM:<"a@b.it>`, bad: PathUnclosed},
		{arg: "FROM:<a@b.it>SIZE=1", bad: PathNoSpace},
		{arg: "FROM:<@x.it>", bad: PathRoute},
		{arg: "FROM:<" + strings.Repeat("x", 255) + ">", bad: PathTooLong},
		{arg: "FROM:<a\xff@b.it>", bad: PathNotUTF8},
		{arg: "FROM:<a@b.it> -X", bad: ParamNoSyntax},
		{arg: "FROM:<a@b.it> =1", bad: ParamNoSyntax},
	} {
		p, bad := ParsePath(c.arg, "FROM:")
		if bad != c.bad {
			t.Errorf("%q: %q, want %q", c.arg, bad, c.bad)
			continue
		}
		if bad != "" {
			continue
		}
		if p.Address != c.address || len(p.Params) != c.params || (p.Irregular == "") != (c.irregular == "") ||
			!strings.Contains(p.Irregular, c.irregular) {
			t.Errorf("%q: %+v", c.arg, p)
		}
	}
}

func TestParseChunk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arg      string
		size     int64
		last, ok bool
	}{
		{"0", 0, false, true}, {"12", 12, false, true}, {"12 last", 12, true, true}, {"", 0, false, false}, {"-1", 0, false, false},
		{"+1", 0, false, false}, {"1 FIRST", 0, false, false}, {"1 LAST x", 0, false, false}, {"9999999999999999999", 0, false, false},
	} {
		if size, last, ok := ParseChunk(c.arg); size != c.size || last != c.last || ok != c.ok {
			t.Errorf("%q: %d %v %v", c.arg, size, last, ok)
		}
	}
}

// FuzzParsePath: an address that was read holds no line end that was not in the
// argument as one, and reads the same again when it is written regularly.
func FuzzParsePath(f *testing.F) {
	for _, v := range []string{
		"FROM:<a@b.example> SIZE=1", "FROM:<>", `FROM:<"a>\" b"@c.example>`, "FROM:<ü@b.example> SMTPUTF8", "from:<a@b> X=",
		"FROM: <a@b>", "FROM:<a@b", "FROM:<\x00@b>", `FROM:<"\`, "FROM:<@a,@b:c@d>", "FROM:a@b",
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		_, _, _ = ParseChunk(v)
		p, bad := ParsePath(v, "FROM:")
		if bad != "" {
			return
		}
		if !strings.Contains(v, p.Address) || len(p.Address) > maxPath || !utf8.ValidString(p.Address) {
			t.Fatalf("%q: address %q", v, p.Address)
		}
		for _, param := range p.Params {
			if !IsKeyword(param.Name) || strings.ContainsAny(param.Value, " \t\r\n") {
				t.Fatalf("%q: parameter %+v", v, param)
			}
		}
		if p.Irregular != "" {
			return
		}
		if again, bad := ParsePath("FROM:<"+p.Address+">", "FROM:"); bad != "" || again.Address != p.Address || again.Irregular != "" {
			t.Fatalf("%q: %q is read again as %+v, %q", v, p.Address, again, bad)
		}
	})
}
