package search

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// Options are what the meaning of a query depends on.
type Options struct {
	Now  time.Time
	Zone *time.Location // of the reader: for dates; nil: UTC
}

// Bounds of a query: what is longer no one has typed.
const (
	maxText       = 2000 // characters
	maxConditions = 40
)

// A reader goes through the text character by character.
type reader struct {
	text []rune
	at   int
	opt  Options
}

// Parse reads a query; an *Error says where it cannot be understood.
func Parse(s string, o Options) (*Query, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	r := &reader{text: []rune(strings.ToValidUTF8(s, "\uFFFD")), opt: o}
	if len(r.text) > maxText {
		return nil, &Error{Message: text("search.too_long", "the search is longer than {count} characters", "count", maxText),
			Hint: text("search.too_long_hint", "look for a part of it"), Pos: maxText, Len: len(r.text) - maxText}
	}
	q := &Query{}
	for {
		for r.at < len(r.text) && unicode.IsSpace(r.text[r.at]) {
			r.at++
		}
		if r.at == len(r.text) {
			return q, nil
		}
		if len(q.Conditions) == maxConditions {
			return nil, &Error{Message: text("search.too_many", "the search has more than {count} conditions", "count", maxConditions),
				Hint: text("search.too_long_hint", "look for a part of it"), Pos: r.at, Len: len(r.text) - r.at}
		}
		c, err := r.condition()
		if err != nil {
			return nil, err
		}
		if c != nil {
			q.Conditions = append(q.Conditions, *c)
		}
	}
}

// condition reads one condition; nil: there is nothing to look for in it, such as
// a dash that stands alone.
func (r *reader) condition() (*Condition, error) {
	c := &Condition{Pos: r.at}
	if r.text[r.at] == '-' && r.at+1 < len(r.text) && !unicode.IsSpace(r.text[r.at+1]) && r.text[r.at+1] != '-' {
		c.Not = true
		r.at++
	}
	named, err := r.operator(c)
	if err != nil {
		return nil, err
	}
	quoted, err := r.value(c)
	if err != nil {
		return nil, err
	}
	c.Len = r.at - c.Pos
	if named && strings.TrimSpace(c.Value) == "" {
		return nil, c.wrong(text("search.no_value", "{field}: needs a value", "field", string(c.Field)),
			text("search.no_value_hint", "write it directly behind the colon, in quotes where it has blanks: {field}:\"…\"", "field",
				string(c.Field)))
	}
	if !named {
		return c.plain(quoted), nil
	}
	if c.Field == Before || c.Field == After {
		if err := c.time(r.opt); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// plain makes of a word without operator what it looks like: an id, or text. nil:
// it has nothing to look for.
func (c *Condition) plain(quoted bool) *Condition {
	if !quoted && !c.Not {
		if _, err := store.ParseID(c.Value); err == nil {
			c.Field = ID
			return c
		}
		if _, ok := messageID(c.Value); ok && c.Value[0] == '<' {
			c.Field = ID
			return c
		}
	}
	if len(terms.Compile([]terms.Match{{Value: c.Value}})) == 0 {
		return nil
	}
	return c
}

// operator reads a name with a colon. A word that ends with a colon, such as the
// "Re:" of a subject, is none, and neither are times and addresses of the web.
func (r *reader) operator(c *Condition) (bool, error) {
	end := r.at
	for end < len(r.text) && (r.text[end] >= 'a' && r.text[end] <= 'z' || r.text[end] >= 'A' && r.text[end] <= 'Z' || r.text[end] == '_') {
		end++
	}
	if end == r.at || end == len(r.text) || r.text[end] != ':' {
		return false, nil
	}
	name := strings.ToLower(string(r.text[r.at:end]))
	known := slices.Contains(fields(), Field(name))
	follows := end+1 < len(r.text) && !unicode.IsSpace(r.text[end+1])
	switch {
	case known:
		c.Field = Field(name)
		r.at = end + 1
		return true, nil
	case !follows || strings.HasPrefix(string(r.text[end+1:min(end+3, len(r.text))]), "//"):
		return false, nil
	}
	var names []string
	for _, f := range fields() {
		names = append(names, string(f)+":")
	}
	return false, &Error{Pos: r.at, Len: end + 1 - r.at,
		Message: text("search.unknown_operator", "there is no operator \"{name}:\"", "name", name),
		Hint: suggestion(name+":", names,
			text("search.unknown_operator_hint", "use one of {operators}, or put the text in quotes", "operators", list(names)))}
}

// value reads a word or what stands in quotes.
func (r *reader) value(c *Condition) (quoted bool, err error) {
	if r.at < len(r.text) && r.text[r.at] == '"' {
		start := r.at
		end := slices.Index(r.text[start+1:], '"')
		if end < 0 {
			return true, &Error{Message: text("search.open_quote", "a quotation mark is not closed"),
				Hint: text("search.open_quote_hint", "add the second one"), Pos: start, Len: len(r.text) - start}
		}
		c.Value, r.at = string(r.text[start+1:start+1+end]), start+end+2
		c.prefix(r)
		return true, nil
	}
	start := r.at
	for r.at < len(r.text) && !unicode.IsSpace(r.text[r.at]) {
		r.at++
	}
	c.Value = string(r.text[start:r.at])
	if v, star := strings.CutSuffix(c.Value, "*"); star {
		c.Value, c.Prefix = v, true
	}
	return false, nil
}

// prefix takes a * behind quotes.
func (c *Condition) prefix(r *reader) {
	if r.at < len(r.text) && r.text[r.at] == '*' {
		c.Prefix = true
		r.at++
	}
}

// messageID returns a Message-ID with its angle brackets, where v looks like one.
func messageID(v string) (string, bool) {
	bare := strings.TrimSuffix(strings.TrimPrefix(v, "<"), ">")
	if at := strings.IndexByte(bare, '@'); at <= 0 || strings.ContainsAny(bare, " <>") {
		return "", false
	}
	return "<" + bare + ">", true
}

// commas returns the values of a list.
func commas(v string) (out []string) {
	for _, x := range strings.Split(v, ",") {
		if x = strings.TrimSpace(x); x != "" {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return []string{v}
	}
	return out
}
