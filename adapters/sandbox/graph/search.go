package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// searchTerms are a $search: groups joined by OR, of terms that all must match. Graph
// takes KQL, of which this is what its page on messages shows.
type searchTerms [][]searchTerm

type searchTerm struct {
	not      bool
	property string // empty: subject, people and body
	op       string // of a date: >=, <=, >, <, =
	word     string // lower case
	when     time.Time
}

// searchProperties are the properties of a term.
var searchProperties = []string{"attachment", "bcc", "body", "cc", "from", "hasattachment", "hasattachments", "importance", "participants",
	"received", "recipients", "sent", "subject", "to"}

// parseSearch reads the value of $search, which stands in double quotes.
func parseSearch(text string) (*searchTerms, error) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(text), `"`)
	inner, ok2 := strings.CutSuffix(inner, `"`)
	if !ok || !ok2 || strings.TrimSpace(inner) == "" {
		return nil, errors.New(`the search stands in double quotes: $search="word"`)
	}
	inner = strings.ReplaceAll(inner, `\"`, `"`)
	out := searchTerms{nil}
	not := false
	for inner = strings.TrimSpace(inner); inner != ""; inner = strings.TrimSpace(inner) {
		var word string
		word, inner = core.CutTerm(inner)
		switch word {
		case "AND":
			continue
		case "OR":
			out = append(out, nil)
			continue
		case "NOT":
			not = !not
			continue
		}
		t, err := newSearchTerm(word)
		if err != nil {
			return nil, err
		}
		t.not = not != t.not
		not = false
		out[len(out)-1] = append(out[len(out)-1], t)
	}
	if slices.ContainsFunc(out, func(group []searchTerm) bool { return len(group) == 0 }) || not {
		return nil, errors.New("a word is missing")
	}
	return &out, nil
}

func newSearchTerm(text string) (t searchTerm, err error) {
	if rest, ok := strings.CutPrefix(text, "-"); ok && rest != "" {
		t.not, text = true, rest
	}
	if i := strings.IndexAny(text, ":=<>"); i > 0 && slices.Contains(searchProperties, strings.ToLower(text[:i])) {
		t.property, text = strings.ToLower(text[:i]), text[i:]
		end := 1
		if strings.HasPrefix(text, ">=") || strings.HasPrefix(text, "<=") || strings.HasPrefix(text, "<>") {
			end = 2
		}
		t.op, text = strings.Replace(text[:end], ":", "=", 1), text[end:]
	}
	t.word = strings.ToLower(strings.TrimSuffix(strings.Trim(text, `"`), "*"))
	if t.word == "" {
		return t, errors.New("a word is missing")
	}
	if t.property == "received" || t.property == "sent" {
		for _, layout := range []string{time.RFC3339, "2006-01-02", "1/2/2006", "01/02/2006"} {
			if t.when, err = time.Parse(layout, strings.ToUpper(t.word)); err == nil {
				return t, nil
			}
		}
		return t, fmt.Errorf("'%s' is no date", t.word)
	}
	if t.property != "" && t.op != "=" {
		return t, fmt.Errorf("%s is compared by a colon", t.property)
	}
	return t, nil
}

// matches reports whether the search means the item.
func (c *call) matches(s *searchTerms, it *item) (bool, *apiError) {
	v, e := c.read(it)
	if e != nil {
		return false, e
	}
	for _, group := range *s {
		if !slices.ContainsFunc(group, func(t searchTerm) bool { return t.match(it, v) == t.not }) {
			return true, nil
		}
	}
	return false, nil
}

func (t searchTerm) match(it *item, v *view) bool {
	from := []string{it.summary.from}
	everyone := slices.Concat(from, it.summary.to, it.summary.cc, it.summary.bcc)
	var where []string
	switch t.property {
	case "":
		where = append(everyone, it.summary.subject, v.text)
	case "subject":
		where = []string{it.summary.subject}
	case "body":
		where = []string{v.text}
	case "from":
		where = from
	case "to":
		where = it.summary.to
	case "cc":
		where = it.summary.cc
	case "bcc":
		where = it.summary.bcc
	case "recipients":
		where = everyone[1:]
	case "participants":
		where = everyone
	case "importance":
		return it.importanceName() == t.word
	case "hasattachment", "hasattachments":
		return it.summary.attachments == (t.word == "true" || t.word == "yes" || t.word == "1")
	case "received":
		return t.matchTime(it.created)
	case "sent":
		return t.matchTime(it.sentDate)
	case "attachment":
		for _, a := range v.attachments {
			where = append(where, a.name)
		}
	}
	return slices.ContainsFunc(where, func(text string) bool { return hasWord(strings.ToLower(text), t.word) })
}

func (t searchTerm) matchTime(at time.Time) bool {
	if t.op == "=" { // a day
		return !at.Before(t.when) && at.Before(t.when.AddDate(0, 0, 1))
	}
	ops := map[string]string{">=": "ge", "<=": "le", ">": "gt", "<": "lt", "<>": "ne"}
	return ordered(ops[t.op], at.Compare(t.when))
}

// hasWord reports whether a word of text begins with prefix, which may be a phrase.
func hasWord(text, prefix string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], prefix)
		if i < 0 {
			return false
		}
		at := from + i
		before := []rune(text[max(0, at-4):at])
		if len(before) == 0 || !unicode.IsLetter(before[len(before)-1]) && !unicode.IsDigit(before[len(before)-1]) {
			return true
		}
		from = at + 1
	}
}
