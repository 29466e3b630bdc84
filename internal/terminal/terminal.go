// Package terminal escapes control, bidirectional and zero-width characters in
// what other people wrote, so that printing it cannot harm or deceive its
// reader. Names, subjects and answers of providers come from outside; raw,
// their control characters move the cursor, rename the window or forge a line
// (ECMA-48), and bidirectional and zero-width characters make a text look like
// another one (Unicode TR 36). All that is written for a person to read, on a
// terminal, in a log line or in a table, goes through this package: such
// characters come out as escapes such as \u001b, and nothing is left out.
package terminal

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Safe reports a character that is seen as what it is: a letter, mark, digit,
// sign or space. C0, C1, bidirectional, zero-width and unassigned ones are not.
func Safe(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && !unicode.Is(unicode.Variation_Selector, r) &&
		r != 0x2800 // the braille pattern without dots
}

// Line is text as it may stand within one line: also tabs and line ends are
// escapes.
func Line(text string) string {
	if clean(text, false) {
		return text
	}
	return string(escape(make([]byte, 0, len(text)+16), text, false))
}

func clean(text string, lines bool) bool {
	return strings.IndexFunc(text, func(r rune) bool { return escaped(r, lines) }) < 0
}

// escaped reports what may not pass as it is; RuneError stands for bytes that
// are no UTF-8, too.
func escaped(r rune, lines bool) bool {
	return r == utf8.RuneError || !Safe(r) && (!lines || r != '\n' && r != '\t')
}

// escape appends text to b. The escapes are those of JSON (RFC 8259 section 7),
// so that JSON stays the same JSON.
func escape(b []byte, text string, lines bool) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1: // no UTF-8: a byte that may be C1 to an old terminal
			b = hex(append(b, `\x`...), uint16(text[0]), 2)
		case Safe(r) || lines && (r == '\n' || r == '\t'):
			b = append(b, text[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = hex(append(b, `\u`...), uint16(high), 4)
			b = hex(append(b, `\u`...), uint16(low), 4)
		default:
			b = hex(append(b, `\u`...), uint16(r), 4)
		}
		text = text[n:]
	}
	return b
}

func hex(b []byte, v uint16, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, "0123456789abcdef"[v>>(4*i)&15])
	}
	return b
}

// A writer escapes what passes. Safe for concurrent use, if what it writes to is.
type writer struct {
	to       io.Writer
	progress *Progress // on the same terminal

	mu   sync.Mutex
	part []byte // the beginning of a character that is not complete yet
	buf  []byte
}

// NewWriter passes text on to w with tabs and line ends, whatever pieces it comes in. Only
// what ends in the middle of a character stays behind.
func NewWriter(w io.Writer) io.Writer {
	if _, ok := w.(*writer); ok {
		return w
	}
	return &writer{to: w}
}

func (w *writer) Write(p []byte) (int, error) {
	w.progress.Clear()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) == 0 && bytes.IndexFunc(p, func(r rune) bool { return escaped(r, true) }) < 0 {
		return w.to.Write(p)
	}
	text := string(w.part) + string(p)
	whole := len(text) - unfinished(text)
	w.part = append(w.part[:0], text[whole:]...)
	w.buf = escape(w.buf[:0], text[:whole], true)
	if len(w.buf) == 0 {
		return len(p), nil
	}
	if _, err := w.to.Write(w.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unfinished is how many bytes at the end may yet become a character.
func unfinished(text string) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
