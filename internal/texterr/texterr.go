// Package texterr holds errors with a text of the catalogue as message, and
// prints any error in the reader's language.
package texterr

import (
	"strings"

	"github.com/postino-mail/postino/mime"
)

// An Error has a text for people and, where it was wrapped, a cause.
type Error struct {
	Text mime.Text
	Err  error // nil: none
}

// New returns an error with a text.
func New(t mime.Text) error { return &Error{Text: t} }

// Wrap returns an error with a text in front of its cause.
func Wrap(t mime.Text, err error) error { return &Error{t, err} }

// Error returns the text in English, with the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text.String()
	}
	return e.Text.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// In returns the text and its cause in a language.
func (e *Error) In(lang string) string {
	if e.Err == nil {
		return e.Text.In(lang)
	}
	return e.Text.In(lang) + ": " + In(e.Err, lang)
}

// In returns the message of err in a language, as far as its chain has texts;
// the rest stays as it is.
func In(err error, lang string) string {
	if err == nil {
		return ""
	}
	if e, ok := err.(interface{ In(lang string) string }); ok {
		return e.In(lang)
	}
	if e, ok := err.(*mime.Error); ok { //nolint:errorlint // In walks the chain itself, an error at a time
		return e.Message.In(lang)
	}
	if s := system(err, lang); s != "" {
		return s
	}
	said := err.Error()
	var inner []error
	switch e := err.(type) { //nolint:errorlint // In walks the chain itself, an error at a time
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	}
	for _, cause := range inner {
		if cause != nil {
			said = strings.Replace(said, cause.Error(), In(cause, lang), 1)
		}
	}
	return said
}
