package terminal

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A Table is columns of text, aligned. No cell can become two, or a row of its
// own.
type Table struct{ w *tabwriter.Writer }

// NewTable begins a table; without heads it has no line of them.
func NewTable(w io.Writer, heads ...string) *Table {
	t := &Table{tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)}
	if len(heads) > 0 {
		t.line(heads)
	}
	return t
}

// Row adds a row; the cells are what fmt.Sprint makes of them.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = Line(fmt.Sprint(c))
	}
	t.line(row)
}

// line hands a row over; the tabwriter keeps the error of its writer for Flush.
func (t *Table) line(cells []string) { fmt.Fprintln(t.w, strings.Join(cells, "\t")) }

// Flush writes the table; the error is that of the writer beneath.
func (t *Table) Flush() error { return t.w.Flush() }
