package terminal

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func table(t *testing.T, width int, make func(io.Writer) *Table, rows ...[]any) string {
	t.Helper()
	var out bytes.Buffer
	tab := make(&out)
	tab.width = width
	for _, row := range rows {
		tab.Row(row...)
	}
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A cell is cut by what a terminal shows of it, ids are whole, and what has no
// room stands below.
func TestTableFits(t *testing.T) {
	t.Parallel()
	const id = "06h2wa1sw9ysk9z5gte357tg6c"
	queue := func(w io.Writer) *Table { return NewTable(w, "ID", "SUBJECT", "RESULT").Whole(0) }
	row := []any{id, "請求書の件について、ご確認をお願い", "it was refused by the mailbox"}
	for name, c := range map[string]struct {
		width int
		make  func(io.Writer) *Table
		want  string
	}{
		"no terminal": {0, queue, "ID                          SUBJECT                             RESULT\n" +
			id + "  請求書の件について、ご確認をお願い  it was refused by the mailbox\n"},
		"wide enough": {93, queue, "ID                          SUBJECT                             RESULT\n" +
			id + "  請求書の件について、ご確認をお願い  it was refused by the mailbox\n"},
		"cut": {70, queue, "ID                          SUBJECT               RESULT\n" +
			id + "  請求書の件について…   it was refused by t…\n"},
		"below": {50, queue, "ID                          SUBJECT\n  RESULT\n" +
			id + "  請求書の件について、…\n  it was refused by the mailbox\n"},
		"narrower than the id": {20, queue, "ID\n  SUBJECT\n  RESULT\n" + id + "\n  請求書の件につい…\n  it was refused by…\n"},
		"wrapped": {70, func(w io.Writer) *Table { return queue(w).Wrap() }, "ID                          SUBJECT               RESULT\n" +
			id + "  請求書の件について…   it was refused by\n                                                  the mailbox\n"},
		"without heads": {50, func(w io.Writer) *Table { return NewTable(w) },
			id + "  請求書の件について、ご確認をお願い  it was refused\n" + strings.Repeat(" ", 64) + "by the mailbox\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := table(t, c.width, c.make, row); got != c.want {
				t.Errorf("\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// What has no value leaves no empty line behind.
func TestTableWithoutValues(t *testing.T) {
	t.Parallel()
	heads := func(w io.Writer) *Table { return NewTable(w, "A", strings.Repeat("B", 30), strings.Repeat("C", 30)) }
	if got := table(t, 30, heads, []any{"a", "", ""}, []any{"", "", ""}); strings.Contains(got, "\n\n\n") || !strings.Contains(got, "\na\n") {
		t.Errorf("%q", got)
	}
	if got := table(t, 30, func(w io.Writer) *Table { return NewTable(w) }); got != "" {
		t.Errorf("%q", got)
	}
}

func TestCutAndWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"short", 5, "short"}, {"longer", 5, "long…"}, {"città", 4, "cit…"}, {"citta\u0300", 5, "citta\u0300"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"😀😀", 3, "😀…"}, {"x", 1, "x"}, {"xy", 1, "…"},
		{"각", 2, "각"}, {"각각", 3, "각…"}, {"العربية", 7, "العربية"},
	} {
		if got := shortened(c.text, c.most); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.most, got, c.want)
		}
	}
	got := wrapped("one two  three a-word-that-is-longer x", 9)
	if !slices.Equal(got, []string{"one two", "three", "a-word-that-is-longer", "x"}) {
		t.Errorf("%q", got)
	}
	if got := wrapped("", 3); !slices.Equal(got, []string{""}) {
		t.Errorf("%q", got)
	}
}

// $COLUMNS is the width also where there is no terminal, as under watch(1).
func TestWidth(t *testing.T) {
	t.Setenv("COLUMNS", "")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = r.Close()
		_ = w.Close()
	}()
	for value, want := range map[string]int{"": 0, "0": 0, "-3": 0, "wide": 0, "100": 100} {
		t.Setenv("COLUMNS", value)
		if got := widthOf(NewWriter(w)); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
}

// FuzzTable: no line is wider than the terminal, unless an id or a word is.
func FuzzTable(f *testing.F) {
	f.Add("請求書", "e\u0301", "a b c d e f g", 40)
	f.Fuzz(func(t *testing.T, a, b, c string, width int) {
		width = max(24, min(width, 200))
		for _, l := range strings.Split(table(t, width, func(w io.Writer) *Table { return NewTable(w, "A", "B", "C") },
			[]any{a, b, c}, []any{c, a, b}), "\n") {
			if Columns(l) > width {
				t.Errorf("%d of %d: %q", Columns(l), width, l)
			}
		}
	})
}
