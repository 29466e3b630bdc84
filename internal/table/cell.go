package table

import (
	"io"
	"strings"
	"unicode/utf8"
)

// formula are the first characters for which spreadsheets take a cell for a
// formula (OWASP, CSV Injection), the full-width ones of East Asian keyboards too.
const formula = "=+-@\t\r\n＝＋－＠"

// cell returns a value as a cell that no spreadsheet computes: an apostrophe stands
// before what one would. Plain takes it away again.
func cell(value string) string {
	if computed(value) {
		return "'" + value
	}
	return value
}

// Cells makes a cell of each value, in place.
func Cells(values []string) []string {
	for i, value := range values {
		values[i] = cell(value)
	}
	return values
}

// Plain returns the value of a cell that cell may have made.
func Plain(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && computed(rest) {
		return rest
	}
	return cell
}

// computed reports a formula, apostrophes before it included.
func computed(value string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(value, "'"))
	return first != utf8.RuneError && strings.ContainsRune(formula, first)
}

// ByteOrderMark begins a table, so that Excel reads UTF-8 for what it is.
const ByteOrderMark = "\ufeff"

// A Writer writes records (RFC 4180) of cells that went through Cell. Every cell is in
// quotes: a spreadsheet that splits at another separator finds no cell in the
// middle of one.
type Writer struct {
	W         io.Writer
	Separator string
	LineEnd   string // of a file CR LF
}

// Write writes one record.
func (t Writer) Write(record []string) error {
	var b strings.Builder
	for i, value := range record {
		if i > 0 {
			b.WriteString(t.Separator)
		}
		b.WriteByte('"')
		b.WriteString(strings.ReplaceAll(cell(value), `"`, `""`))
		b.WriteByte('"')
	}
	b.WriteString(t.LineEnd)
	_, err := io.WriteString(t.W, b.String())
	return err
}
