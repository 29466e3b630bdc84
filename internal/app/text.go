package app

import (
	"time"

	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
)

// text is a text of the catalogue.
func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }

// headings are the columns of a table in a language.
func headings(lang string, texts ...mime.Text) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = t.In(lang)
	}
	return out
}

// either is yes or no in a language.
func either(v bool, lang string) string {
	if v {
		return text("cli.yes", "yes").In(lang)
	}
	return text("cli.no", "no").In(lang)
}

// whenOrDash is a time in a table; "-": never.
func whenOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return terminal.Time(t)
}
