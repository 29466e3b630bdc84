package core

import "unicode"

// CutTerm cuts the first term off a search, with what its quotes hold together.
func CutTerm(text string) (term, rest string) {
	quoted := false
	for i, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case unicode.IsSpace(r) && !quoted:
			return text[:i], text[i:]
		}
	}
	return text, ""
}
