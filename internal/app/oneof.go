package app

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/nearest"
)

// oneOf refuses a word that is none of those known, and names the nearest; empty
// passes.
func oneOf(word string, known ...string) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	if near := nearest.Word(word, known); near != "" {
		return wrong(ExitUsage, text("cli.none_of_near", "{word} is none of {known}: did you mean {near}?", "word", strconv.Quote(word),
			"known", strings.Join(known, ", "), "near", strconv.Quote(near)))
	}
	return wrong(ExitUsage, text("cli.none_of", "{word} is none of {known}", "word", strconv.Quote(word), "known",
		strings.Join(known, ", ")))
}
