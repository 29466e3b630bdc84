package terminal

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// file is the terminal that w writes to, nil where it is none.
func file(w io.Writer) *os.File {
	if under, ok := w.(*writer); ok {
		w = under.to
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// widthOf is how many columns a line of w has: $COLUMNS where it is set, else the
// width of the terminal; 0, without bound, where w is none.
func widthOf(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f := file(w); f != nil {
		return screenWidth(f)
	}
	return 0
}

// screenWidth is how many columns a terminal has.
func screenWidth(f *os.File) int {
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 { // a serial line does not know
		return 80
	}
	return columns
}

// Columns is how many columns of a terminal a text takes (Unicode UAX 11).
func Columns(text string) (n int) {
	for _, r := range text {
		n += columns(r)
	}
	return n
}

func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf), 0x1160 <= r && r <= 0x11ff: // marks, and what completes a syllable of Hangul
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// shortened is a text in at most so many columns; "…" stands for what is missing.
func shortened(text string, most int) string {
	if Columns(text) <= most {
		return text
	}
	used := 0
	for i, r := range text {
		if used += columns(r); used > most-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// wrapped breaks a text between words into lines of at most so many columns; a word
// that is longer stays whole. There is always a line.
func wrapped(text string, most int) []string {
	if Columns(text) <= most {
		return []string{text}
	}
	var lines []string
	var b strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		n := Columns(word)
		if used > 0 && used+1+n > most {
			lines = append(lines, b.String())
			b.Reset()
			used = 0
		}
		if used > 0 {
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return append(lines, b.String())
}
