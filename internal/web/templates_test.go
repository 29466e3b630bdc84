package web

import (
	"bytes"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/postino-mail/postino/internal/locale"
)

// Every screen is read in every language.
func TestTemplatesParse(t *testing.T) {
	t.Parallel()
	s := newScreens(newAssets())
	for _, lang := range locale.Languages() {
		all, err := s.languages[lang]()
		if err != nil {
			t.Fatal(err)
		}
		for name, screen := range all {
			for _, part := range []string{"title", "content"} {
				if screen.Lookup(part) == nil {
					t.Errorf("%s has no %q", name, part)
				}
			}
		}
	}
}

// A sentence begins with a capital letter, unless its first word is a name.
func TestSentenceCase(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "the server refused it": "The server refused it.", "wait…": "Wait…",
		"l'applicazione può leggere": "L'applicazione può leggere.", "è vuoto": "È vuoto.", "why?": "Why?",
		"mail.contoso.it does not answer": "mail.contoso.it does not answer.", "'postino serve' runs": "'postino serve' runs.",
		"postino stopped": "postino stopped."} {
		if got := sentenceCase(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// own are words of no language: names, and attributes that a part of a template adds.
var own = regexp.MustCompile(`\bB?[Cc]c\b|\bHTML\b|\bMessage-ID\b|\bSHA-256\b|postino|Italiano|English|` +
	`openapi\.[a-z]+|^[/jk?]$| aria-[a-z]+="[^"]*"`)

// No sentence stands in a template in one language only: what is no action has no
// letters that a reader sees.
func TestNoWordOutsideOfTheCatalogue(t *testing.T) {
	t.Parallel()
	actions := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	names, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		src, err := fs.ReadFile(templates, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words(t, actions.ReplaceAll(src, nil)) {
			t.Errorf("%s: %q stands outside of t and count", name, word)
		}
	}
}

// words returns what a reader would see or hear of a document.
func words(t *testing.T, src []byte) []string {
	t.Helper()
	var out []string
	add := func(s string) {
		if s = own.ReplaceAllString(s, ""); strings.ContainsFunc(s, unicode.IsLetter) {
			out = append(out, strings.TrimSpace(s))
		}
	}
	z := html.NewTokenizer(bytes.NewReader(src))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.TextToken:
			add(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			for _, a := range token.Attr {
				switch a.Key {
				case "aria-label", "title", "alt", "placeholder", "data-label", "data-copied":
					add(a.Val)
				case "style", "onclick", "onchange", "onsubmit", "onload":
					t.Errorf("%s has the attribute %s, which the Content-Security-Policy forbids", token.Data, a.Key)
				}
			}
		}
	}
}
