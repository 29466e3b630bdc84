package search

import (
	"strings"

	"github.com/postino-mail/postino/internal/nearest"
	"github.com/postino-mail/postino/mime"
)

// An Error says what of a query cannot be understood, and where.
type Error struct {
	Message mime.Text
	Hint    mime.Text // what to do about it
	Pos     int       // in characters from the beginning of the text
	Len     int       // in characters
}

// Error returns the message in English.
func (e *Error) Error() string { return e.In("en") }

// In returns the message in a language, with where it is and what to do.
func (e *Error) In(lang string) string { return e.Located().In(lang) + ": " + e.Hint.In(lang) }

// Located returns the message with where it is.
func (e *Error) Located() mime.Text {
	return text("search.position", "character {position}: {message}", "position", e.Pos+1, "message", e.Message)
}

// text is mime.NewText; the catalogue's test reads what stands here.
func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }

func list(names []string) string { return strings.Join(names, ", ") }

// suggestion is "did you mean" for a name that is near one of those known, else
// otherwise.
func suggestion(name string, known []string, otherwise mime.Text) mime.Text {
	at := nearest.Word(name, known)
	if at == "" {
		return otherwise
	}
	return text("search.did_you_mean", "did you mean {name}?", "name", at)
}
