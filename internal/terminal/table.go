package terminal

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	gap    = "  " // between columns, and before the columns that follow on a line of their own
	narrow = 16   // a column is not cut below this width
)

// A Table is columns of text, aligned. No cell can become two, or a row of its
// own. Where the lines have a width (widthOf), longer cells are cut, and
// columns that find no room stand on further lines of their row. Everywhere
// else, for programs, a row is one line and every cell is whole.
type Table struct {
	to    io.Writer
	width int
	heads bool
	rows  [][]string
	whole []int
	wrap  bool

	widths []int // of the columns
}

// NewTable begins a table; without heads it has no line of them, is a list of
// names with their values, and breaks lines in place of cutting them.
func NewTable(w io.Writer, heads ...string) *Table {
	t := &Table{to: w, width: widthOf(w), heads: len(heads) > 0}
	if t.heads {
		t.rows = append(t.rows, heads)
	}
	return t
}

// Whole names the columns that are never cut, from 0 on: what a person copies
// into another command, and times.
func (t *Table) Whole(columns ...int) *Table {
	t.whole = append(t.whole, columns...)
	return t
}

// Wrap has the last column go on below where it is long; it is not cut.
func (t *Table) Wrap() *Table {
	t.wrap = true
	return t
}

// Row adds a row; the cells are what fmt.Sprint makes of them.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = Line(fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

// Flush writes the table; the error is that of the writer beneath.
func (t *Table) Flush() error {
	for _, row := range t.rows {
		for len(t.widths) < len(row) {
			t.widths = append(t.widths, 0)
		}
	}
	for _, row := range t.rows {
		for i, cell := range row {
			if i < len(row)-1 || len(row) == len(t.widths) { // what ends a shorter row takes the rest of the line
				t.widths[i] = max(t.widths[i], Columns(cell))
			}
		}
	}
	lines := t.layout()
	w := bufio.NewWriter(t.to)
	for _, row := range t.rows {
		for _, l := range lines {
			for n, text := range t.texts(row, l) {
				if text = strings.TrimRight(text, " "); text != "" || n == 0 && l.first == 0 {
					w.WriteString(text + "\n") //nolint:errcheck // Flush returns it
				}
			}
		}
	}
	return w.Flush()
}

// A line of a row is the columns from first up to end.
type line struct {
	first, end int
	indent     string
}

// layout divides the columns into lines and brings their widths to what fits.
func (t *Table) layout() []line {
	last := len(t.widths) - 1
	total := 0
	for _, w := range t.widths {
		total += len(gap) + w
	}
	over := total - len(gap) - t.width
	if t.width <= 0 || over <= 0 {
		return []line{{end: last + 1}}
	}
	if !t.heads { // the names stay, the values have what is left
		t.widths[last] = max(narrow, t.widths[last]-over)
		return []line{{end: last + 1}}
	}
	natural := slices.Clone(t.widths)
	var lines []line
	current, used := line{}, 0
	for i := range t.widths {
		if !slices.Contains(t.whole, i) {
			t.widths[i] = min(t.widths[i], narrow)
		}
		if used > 0 && used+len(gap)+t.widths[i] > t.width {
			current.end = i
			lines = append(lines, current)
			current, used = line{first: i, indent: gap}, 0
		}
		used += len(gap) + t.widths[i] // the first gap: the indent of a line that follows
		if i == 0 {
			used -= len(gap)
		}
	}
	current.end = last + 1
	lines = append(lines, current)
	for _, l := range lines {
		t.grow(l, natural)
	}
	return lines
}

// grow shares out what is left of a line, to the narrowest of those that want
// more first.
func (t *Table) grow(l line, natural []int) {
	left := t.width - len(l.indent) + len(gap)
	for _, w := range t.widths[l.first:l.end] {
		left -= len(gap) + w
	}
	for ; left > 0; left-- {
		least := -1
		for i := l.first; i < l.end; i++ {
			if t.widths[i] < natural[i] && (least < 0 || t.widths[i] < t.widths[least]) {
				least = i
			}
		}
		if least < 0 {
			return
		}
		t.widths[least]++
	}
}

// texts are a row's cells of a line; more than one text where its last cell goes on.
func (t *Table) texts(row []string, l line) []string {
	var b strings.Builder
	b.WriteString(l.indent)
	before := len(l.indent)
	for i := l.first; i < min(l.end, len(row)); i++ {
		cell := row[i]
		switch {
		case t.width > 0 && i == len(t.widths)-1 && (t.wrap || !t.heads):
			texts := wrapped(cell, t.widths[i])
			texts[0] = b.String() + texts[0]
			for n := range texts[1:] {
				texts[n+1] = strings.Repeat(" ", before) + texts[n+1]
			}
			return texts
		case t.heads:
			cell = shortened(cell, t.widths[i])
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-Columns(cell))) + gap)
		}
		before += t.widths[i] + len(gap)
	}
	return []string{b.String()}
}
