// Package jsonfield knows when names of JSON are the same field for encoding/json, which
// reads them in any letters, and keeps one of two values without a word (RFC 8259
// section 4: what a reader does with that is its own affair).
package jsonfield

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/postino-mail/postino/mime"
)

// Fold makes equal what is the same field.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && r != 'k' && r != 'K' && r != 's' && r != 'S' { // these two fold beyond ASCII
			return unicode.ToLower(r)
		}
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}

// TwiceMessage says that a field is there more than once.
func TwiceMessage(name string) mime.Text {
	return mime.NewText("api.form_field_twice", "{name} is there more than once", "name", name)
}

// Twice returns the name of a field that an object has two times, at any depth, and
// where: the names above it. What is no JSON is left to its reader. It is meant for
// files of settings: its memory grows with the document.
func Twice(doc []byte) (name string, above []string, twice bool) {
	type level struct {
		names map[string]bool // nil: an array
		last  string
		value bool // the next token is one, not a name
	}
	var open []level
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return "", nil, false
		}
		n := len(open) - 1
		if s, ok := token.(string); ok && n >= 0 && open[n].names != nil && !open[n].value {
			if open[n].names[Fold(s)] {
				for _, l := range open[:n] {
					if l.names != nil {
						above = append(above, l.last)
					}
				}
				return s, above, true
			}
			open[n].names[Fold(s)], open[n].last, open[n].value = true, s, true
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
			continue
		case json.Delim('['):
			open = append(open, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:n]
		}
		if n = len(open) - 1; n >= 0 {
			open[n].value = false
		} else {
			return "", nil, false // the first value is over
		}
	}
}
