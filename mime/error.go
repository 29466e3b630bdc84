package mime

import "fmt"

// An Error says what is wrong with a message, in words for the person who made it.
type Error struct {
	Code   string // stable, such as "no_from", "nul", "too_many_parts"
	Field  string // header field or draft field, when one is to blame
	Text   string // a sentence in English, safe to show: what is wrong and what to do
	TextIT string // the same in Italian
	Err    error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// newError makes an Error; args fill the verbs of both sentences.
func newError(code, field, en, it string, args ...any) *Error {
	return &Error{Code: code, Field: field, Text: fmt.Sprintf(en, args...), TextIT: fmt.Sprintf(it, args...)}
}

// because adds the cause.
func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

// unreadable is a failure of the Source, not of the message.
func unreadable(err error) *Error {
	return newError("unreadable", "", "The stored message could not be read: look at the disk or the database, then try again.",
		"Il messaggio salvato non è leggibile: controllare il disco o il database e riprovare.").because(err)
}

// shorten cuts s for use in a sentence.
func shorten(s string) string {
	r := []rune(sanitize(s))
	if len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return string(r)
}
