package search

import (
	"strings"

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
	best, at := 3, ""
	for _, k := range known {
		if d := distance(name, k); d < best && d*2 < len(k)+1 {
			best, at = d, k
		}
	}
	if at == "" {
		return otherwise
	}
	return text("search.did_you_mean", "did you mean {name}?", "name", at)
}

// distance is how many letters must be changed, added, left out or swapped with
// the next one to make b of a; names that are long are far from all.
func distance(a, b string) int {
	if len(a) > 24 || len(b) > 24 {
		return 24
	}
	a = strings.ToLower(a)
	var before, last, row [25]int
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
