package app

import (
	"encoding/json"
	"errors"
	"io"
)

// A Format is how a command prints data.
type Format int

// Text is for people. JSON is one document, lists as an array; JSONL is one
// document a line, for streams.
const (
	Text Format = iota
	JSON
	JSONL
)

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // a Message-ID has angle brackets
	return enc.Encode(v)
}

// writeLine writes v on one line.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// A listWriter writes a list of any length without holding it.
type listWriter struct {
	w     io.Writer
	lines bool // JSONL
	begun bool
}

// add writes one more element.
func (l *listWriter) add(v any) error {
	if err := l.begin(","); err != nil {
		return err
	}
	return writeLine(l.w, v)
}

// begin writes what stands before an element, or before the end where there
// was none.
func (l *listWriter) begin(next string) error {
	mark := next
	if !l.begun {
		mark = "["
	}
	l.begun = true
	if l.lines || mark == "" {
		return nil
	}
	_, err := io.WriteString(l.w, mark)
	return err
}

// end finishes the list, or leaves it where err ended it: a reader must not
// take a part for the whole, nor find a second document behind it.
func (l *listWriter) end(err error) error {
	if err != nil {
		if l.begun {
			return &ExitError{Code: ExitCode(err), Err: err, begun: true}
		}
		return err
	}
	if l.lines {
		return nil
	}
	if err := l.begin(""); err != nil {
		return err
	}
	_, err = io.WriteString(l.w, "]\n")
	return err
}

// OutputBegun reports that a command had printed a part of its data before the
// error, so that the error's own document would make no sense behind it.
func OutputBegun(err error) bool {
	var x *ExitError
	return errors.As(err, &x) && x.begun
}
