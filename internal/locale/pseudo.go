package locale

import (
	"flag"
	"fmt"
	"strings"
	"unicode"

	"github.com/nicksnyder/go-i18n/v2/i18n/template"
)

// Pseudo is a language that exists in tests alone: the English of every text
// with its own words between PseudoOpen and PseudoClose and its arguments
// outside. What a test in this language finds outside of them did not come from
// the catalogue. It is not among Languages, and no program that `go build`
// makes knows it.
const (
	Pseudo      = "pseudo"
	PseudoOpen  = '⟦'
	PseudoClose = '⟧'
)

// inTest reports a program that `go test` made: its flags are registered
// before its tests begin.
func inTest() bool { return flag.Lookup("test.v") != nil }

// bracketed returns a template with its own words in brackets, so that its
// placeholders stand outside.
func bracketed(template string) string {
	var b strings.Builder
	piece := func(s string) {
		if strings.IndexFunc(s, unicode.IsLetter) < 0 {
			b.WriteString(s)
			return
		}
		body := strings.TrimSpace(s)
		before, after, _ := strings.Cut(s, body)
		b.WriteString(before + string(PseudoOpen) + body + string(PseudoClose) + after)
	}
	rest := template
	for _, name := range placeholdersOf(template) {
		before, after, _ := strings.Cut(rest, "{"+name+"}")
		piece(before)
		b.WriteString("{" + name + "}")
		rest = after
	}
	piece(rest)
	return b.String()
}

// brackets is braces for Pseudo.
type brackets struct{}

func (brackets) Cacheable() bool { return false } // the cache is that of the English template

func (brackets) Parse(src, _, _ string) (template.ParsedTemplate, error) {
	return parsed(bracketed(src)), nil
}

// pseudo returns the text of code in Pseudo.
func (c *catalogue) pseudo(code string, args []any) (string, bool) {
	if s := c.plain[English][code]; s != "" {
		return Expand(bracketed(s), Pseudo, args), true
	}
	s, _, err := c.localize(English, code, data{Pseudo, args}, brackets{})
	return s, err == nil && s != ""
}

// Outside returns what stands outside the brackets of Pseudo in a text, and an
// error where one of them lacks its other half.
func Outside(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, string(PseudoOpen))
		if strings.ContainsRune(before, PseudoClose) {
			return "", fmt.Errorf("%q closes what it has not opened", before)
		}
		b.WriteString(before + " ")
		if !found {
			return b.String(), nil
		}
		inside, after, found := strings.Cut(rest, string(PseudoClose))
		if !found || strings.ContainsRune(inside, PseudoOpen) {
			return "", fmt.Errorf("%q is not closed", inside)
		}
		text = after
	}
}
