package table

import (
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for what, raw := range map[string]string{
		"UTF-8":          "perché;1",
		"with its mark":  "\xef\xbb\xbfperché;1",
		"Windows-1252":   "perch\xe9;1",
		"UTF-16, little": "\xff\xfep\x00e\x00r\x00c\x00h\x00\xe9\x00;\x001\x00",
		"UTF-16, big":    "\xfe\xff\x00p\x00e\x00r\x00c\x00h\x00\xe9\x00;\x001",
	} {
		if got, err := Read(strings.NewReader(raw)); err != nil || got != "perché;1" {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	if _, err := Read(strings.NewReader(strings.Repeat("x", MostBytes+1))); err == nil {
		t.Error("a table of any size is read")
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"Italian Excel": "a;b,c\r\n1;\"2\r\n3\"\r\n",
		"named":         "sep=|\na|b,c\n1|\"2\n3\"\n",
		"tabs":          "a\tb,c\n1\t\"2\n3\"\n",
	} {
		r := NewReader(text)
		head, err := r.Read()
		if err != nil || !slices.Equal(head, []string{"a", "b,c"}) {
			t.Errorf("%s: %q, %v", what, head, err)
		}
		first := r.Line()
		if row, err := r.Read(); err != nil || !slices.Equal(row, []string{"1", "2\n3"}) || r.Line() != first+1 {
			t.Errorf("%s: %q on line %d, %v", what, row, r.Line(), err)
		}
	}
}

// What Cell makes is no formula in any spreadsheet, and comes back.
func TestCell(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "x", "'", "'x", "''", "=1+1", "'=1+1", "''=1+1", "+39 02", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1",
		"*@x.it"} {
		c := cell(v)
		if Plain(c) != v {
			t.Errorf("%q becomes %q, and then %q", v, c, Plain(c))
		}
		if c != "" && strings.ContainsRune(formula, []rune(c)[0]) {
			t.Errorf("%q becomes %q", v, c)
		}
	}
	var b strings.Builder
	if err := (Writer{&b, ",", "\r\n"}).Write([]string{"a;=1+1", `say "hello"`, "=cmd|' /C calc'!A0"}); err != nil ||
		b.String() != "\"a;=1+1\",\"say \"\"hello\"\"\",\"'=cmd|' /C calc'!A0\"\r\n" {
		t.Errorf("%s, %v", b.String(), err)
	}
}
