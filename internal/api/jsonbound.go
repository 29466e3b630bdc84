package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/postino-mail/postino/adapters"
)

// Bounds of JSON, looked at before anything is built of it: one byte on the wire
// can be a hundred in memory.
const (
	maxDepth       = 32
	maxKeys        = 1000     // of one object
	maxValues      = 100_000  // of a message or a batch
	maxSmallValues = 10_000   // of any other body
	maxString      = 32 << 10 // bytes that are looked at: what the schema bounds has 2,000 letters, of 12 bytes at most
	fillerSize     = 4096     // of what stands for a longer one; base64 too
	maxFaults      = 20       // told of one request

	// What checking costs at most, in bytes: a value in the tree with what may be
	// found wrong with it. All checks at once share the budget.
	valueCost   = 640
	checkBudget = 64 << 20
)

// A tooComplex error names the bound that JSON exceeds.
type tooComplex struct{ message adapters.Text }

func (e *tooComplex) Error() string { return e.message.String() }

func tooManyValues(most int) error {
	return &tooComplex{text("api.json_values", "the JSON has more than {most} values", "most", most)}
}

func tooManyFields() error {
	return &tooComplex{text("api.json_fields", "the JSON has more than {most} fields in one object", "most", maxKeys)}
}

// outline walks JSON once without building anything. It returns the document with
// its long strings replaced by short ones, so that what checks it does not copy
// attachments, and the number of its values. The error is a *tooComplex or a
// *fieldTwice; what is no JSON is left to the parser.
func outline(doc []byte, most int) (short []byte, values int, err error) {
	var object [maxDepth + 1]bool
	var members [maxDepth + 1]int
	var fields [maxDepth + 1]fieldNames
	named := false // the next string is the name of a field
	depth, copied := 0, 0
	count := func() error {
		if values++; values > most {
			return tooManyValues(most)
		}
		if members[depth]++; object[depth] && members[depth] > maxKeys {
			return tooManyFields()
		}
		return nil
	}
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			end := stringEnd(doc, i+1)
			if named {
				if err := fields[depth].add(doc[i+1 : min(end, len(doc))]); err != nil {
					return nil, 0, err
				}
				named = false
			}
			if end-i > maxString {
				short = append(short, doc[copied:i+1]...)
				short = append(short, bytes.Repeat([]byte{'A'}, fillerSize)...)
				copied = min(end, len(doc))
			}
			i = end
		case '{', '[':
			if depth++; depth > maxDepth {
				return nil, 0, &tooComplex{text("api.json_depth", "the JSON is nested more than {most} deep", "most", maxDepth)}
			}
			object[depth], members[depth] = doc[i] == '{', 0
			if named = object[depth]; named {
				fields[depth].reset(object[depth-1] && fields[depth-1].last == ownNames)
			}
			if err := count(); err != nil {
				return nil, 0, err
			}
		case '}', ']':
			depth, named = max(0, depth-1), false
		case ',':
			named = object[depth]
			if err := count(); err != nil {
				return nil, 0, err
			}
		}
	}
	if copied == 0 {
		return doc, values, nil
	}
	return append(short, doc[copied:]...), values, nil
}

// stringEnd is where the string ends that begins at i: its closing quote, or the
// end of the document.
func stringEnd(doc []byte, i int) int {
	for i < len(doc) {
		n := bytes.IndexAny(doc[i:], `"\`)
		if n < 0 {
			return len(doc)
		}
		if i += n; doc[i] == '"' {
			return i
		}
		i += 2
	}
	return len(doc)
}

// refusedJSON is the failure for an error of outline, nil for any other.
func refusedJSON(err error) *failure {
	var complex *tooComplex
	var twice *fieldTwice
	switch {
	case errors.As(err, &complex):
		return fail(http.StatusUnprocessableEntity, "json_too_complex", "", complex.message,
			text("api.split_requests", "split it into several requests"))
	case errors.As(err, &twice):
		return invalid(clip(twice.name), twice.message())
	}
	return nil
}

// unmarshal reads the small bodies of operations, bounded as well.
func unmarshal(doc []byte, v any) error {
	if err := bounded(doc); err != nil {
		return err
	}
	return json.Unmarshal(doc, v)
}

// bounded looks at a small body before it is read.
func bounded(doc []byte) error {
	_, _, err := outline(doc, maxSmallValues)
	return err
}
