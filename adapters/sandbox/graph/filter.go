package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A filter is a parsed $filter: OData's comparisons on what a list knows of a message,
// joined by and, or, not and parentheses. What Graph refuses for messages is refused.
type filter struct {
	op          string // and, or, not; eq, ne, gt, ge, lt, le; startswith, contains; any
	left, right *filter
	path        string
	value       any // string, bool or time.Time
}

// properties that a filter or an order may name, with the type of their values.
var filterTypes = map[string]any{
	"subject": "", "internetMessageId": "", "conversationId": "", "parentFolderId": "", "importance": "",
	"from/emailAddress/address": "", "from/emailAddress/name": "", "sender/emailAddress/address": "", "sender/emailAddress/name": "",
	"isDraft": true, "isRead": true, "hasAttachments": true,
	"createdDateTime": time.Time{}, "lastModifiedDateTime": time.Time{}, "receivedDateTime": time.Time{}, "sentDateTime": time.Time{},
}

// filterLists are the properties of several people, for any().
var filterLists = map[string]bool{"toRecipients": true, "ccRecipients": true, "bccRecipients": true, "categories": true}

// A filterParser reads tokens from left to right.
type filterParser struct {
	tokens []string
	depth  int
}

// maxFilterDepth bounds the recursion on hostile input.
const maxFilterDepth = 50

func parseFilter(text string) (*filter, error) {
	tokens, err := filterTokens(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens}
	f, err := p.or()
	switch {
	case err != nil:
		return nil, err
	case len(p.tokens) > 0:
		return nil, fmt.Errorf("syntax error at '%s'", p.tokens[0])
	}
	return f, nil
}

// filterTokens splits into words, quoted strings with their quotes, parentheses,
// commas and colons.
func filterTokens(text string) (out []string, err error) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeftFunc(text, unicode.IsSpace) {
		switch {
		case strings.ContainsRune("(),:", rune(text[0])) && !strings.HasPrefix(text, "::"):
			out, text = append(out, text[:1]), text[1:]
		case text[0] == '\'':
			_, rest, err := odataString(text)
			if err != nil {
				return nil, err
			}
			out, text = append(out, text[:len(text)-len(rest)]), rest
		default:
			end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("(),'", r) })
			if end < 0 {
				end = len(text)
			}
			word := text[:end]
			// A colon separates the variable of any() from its condition; in times it belongs to the word.
			if i := strings.IndexByte(word, ':'); i > 0 && unicode.IsLetter(rune(word[0])) {
				word = word[:i]
			}
			if word == "" {
				return nil, fmt.Errorf("syntax error at '%s'", text[:1])
			}
			out, text = append(out, word), text[len(word):]
		}
	}
	return out, nil
}

func (p *filterParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *filterParser) take(word string) bool {
	if len(p.tokens) > 0 && strings.EqualFold(p.tokens[0], word) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *filterParser) expect(word string) error {
	if !p.take(word) {
		return fmt.Errorf("'%s' is missing", word)
	}
	return nil
}

func (p *filterParser) or() (*filter, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, errors.New("the filter is too deep")
	}
	defer func() { p.depth-- }()
	left, err := p.and()
	for err == nil && p.take("or") {
		var right *filter
		right, err = p.and()
		left = &filter{op: "or", left: left, right: right}
	}
	return left, err
}

func (p *filterParser) and() (*filter, error) {
	left, err := p.condition()
	for err == nil && p.take("and") {
		var right *filter
		right, err = p.condition()
		left = &filter{op: "and", left: left, right: right}
	}
	return left, err
}

func (p *filterParser) condition() (*filter, error) {
	not := false
	for p.take("not") {
		not = !not
	}
	var f *filter
	var err error
	if p.take("(") {
		if f, err = p.or(); err == nil {
			err = p.expect(")")
		}
	} else {
		f, err = p.comparison("")
	}
	if not {
		f = &filter{op: "not", left: f}
	}
	return f, err
}

// comparison reads a function or a comparison; in any(), variable is what stands for
// the one person.
func (p *filterParser) comparison(variable string) (*filter, error) {
	name := p.next()
	if lower := strings.ToLower(name); lower == "startswith" || lower == "contains" {
		return p.function(lower)
	}
	list, isAny := strings.CutSuffix(name, "/any")
	if isAny && variable == "" {
		return p.anyOf(list)
	}
	path := name
	if variable != "" {
		rest, ok := strings.CutPrefix(name, variable+"/")
		if name == variable {
			rest, ok = "", true
		}
		if !ok || rest != "" && rest != "emailAddress/address" && rest != "emailAddress/name" {
			return nil, fmt.Errorf("'%s' cannot be filtered by", name)
		}
		path = rest
	}
	kind := any("")
	if variable == "" {
		var ok bool
		if kind, ok = filterTypes[path]; !ok {
			return nil, fmt.Errorf("the property '%s' cannot be filtered by", name)
		}
	}
	op := strings.ToLower(p.next())
	if !slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le"}, op) {
		return nil, fmt.Errorf("'%s' is no comparison", op)
	}
	v, err := literal(p.next(), kind)
	if _, isBool := v.(bool); isBool && err == nil && op != "eq" && op != "ne" {
		err = fmt.Errorf("'%s' compares no Booleans", op)
	}
	return &filter{op: op, path: path, value: v}, err
}

func (p *filterParser) function(name string) (*filter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	path := p.next()
	kind, ok := filterTypes[path]
	if _, isText := kind.(string); !ok || !isText {
		return nil, fmt.Errorf("%s cannot be used on '%s'", name, path)
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	v, err := literal(p.next(), "")
	if err == nil {
		err = p.expect(")")
	}
	f := &filter{op: name, path: path, value: v}
	if err == nil && (p.take("eq") || p.take("ne")) { // contains(...) eq true
		var want any
		if want, err = literal(p.next(), true); want == false {
			f = &filter{op: "not", left: f}
		}
	}
	return f, err
}

// anyOf reads any(r:r/emailAddress/address eq 'x') behind the name of a list.
func (p *filterParser) anyOf(list string) (*filter, error) {
	if !filterLists[list] {
		return nil, fmt.Errorf("the property '%s' cannot be filtered by", list)
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	variable := p.next()
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	inner, err := p.comparison(variable)
	if err == nil {
		err = p.expect(")")
	}
	return &filter{op: "any", path: list, left: inner}, err
}

// literal reads a value of the type of kind.
func literal(token string, kind any) (any, error) {
	switch kind.(type) {
	case bool:
		switch strings.ToLower(token) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("'%s' is no Boolean", token)
	case time.Time:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
			if t, err := time.Parse(layout, strings.ToUpper(token)); err == nil {
				return t, nil
			}
		}
		return nil, fmt.Errorf("'%s' is no date and time: they stand without quotes, as 2026-01-31T12:00:00Z", token)
	}
	v, rest, err := odataString(token)
	if err == nil && rest != "" {
		err = errors.New("the string does not end")
	}
	return v, err
}

// conjoined is the value that every match must have of the property, where the filter
// says so at its top: an index finds it.
func (f *filter) conjoined(path string) string {
	switch {
	case f == nil:
	case f.op == "and":
		if v := f.left.conjoined(path); v != "" {
			return v
		}
		return f.right.conjoined(path)
	case f.op == "eq" && f.path == path:
		v, _ := f.value.(string) // of the property's type
		return v
	}
	return ""
}

// paths are the properties that the filter names, in order.
func (f *filter) paths() []string {
	switch {
	case f == nil:
		return nil
	case f.op == "and" || f.op == "or":
		return append(f.left.paths(), f.right.paths()...)
	case f.op == "not":
		return f.left.paths()
	}
	return []string{f.path}
}

// match reports whether the item is one that the filter means.
func (f *filter) match(it *item, now time.Time) bool {
	switch {
	case f == nil:
		return true
	case f.op == "and":
		return f.left.match(it, now) && f.right.match(it, now)
	case f.op == "or":
		return f.left.match(it, now) || f.right.match(it, now)
	case f.op == "not":
		return !f.left.match(it, now)
	case f.op == "any":
		return slices.ContainsFunc(it.list(f.path), func(v string) bool { return f.left.compare(v) })
	}
	return f.compare(it.property(f.path, now))
}

func (f *filter) compare(have any) bool {
	switch want := f.value.(type) {
	case bool:
		return (have == want) == (f.op == "eq")
	case time.Time:
		t, _ := have.(time.Time) // of the property's type
		return ordered(f.op, t.Compare(want))
	case string:
		// Exchange compares without regard to case.
		a, b := have.(string), want
		a, b = strings.ToLower(a), strings.ToLower(b)
		switch f.op {
		case "startswith":
			return strings.HasPrefix(a, b)
		case "contains":
			return strings.Contains(a, b)
		}
		return ordered(f.op, strings.Compare(a, b))
	}
	return false
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

// property is the item's value of a property of filterTypes.
func (it *item) property(path string, now time.Time) any {
	switch path {
	case "isDraft":
		return it.isDraft(now)
	case "isRead":
		return !it.unread
	case "hasAttachments":
		return it.summary.attachments
	case "createdDateTime", "receivedDateTime":
		return it.created.Truncate(time.Second)
	case "lastModifiedDateTime":
		return it.modified.Truncate(time.Second)
	case "sentDateTime":
		return it.sentDate.Truncate(time.Second)
	case "subject":
		return it.summary.subject
	case "internetMessageId":
		return it.messageID
	case "conversationId":
		return it.conversation()
	case "parentFolderId":
		return folderID(it.folder(now))
	case "from/emailAddress/address", "sender/emailAddress/address":
		return it.sender().Address.Address
	case "from/emailAddress/name", "sender/emailAddress/name":
		return it.sender().Address.Name
	}
	return it.importanceName()
}

// list is the item's values of a property of filterLists.
func (it *item) list(path string) []string {
	switch path {
	case "toRecipients":
		return it.summary.to
	case "ccRecipients":
		return it.summary.cc
	case "bccRecipients":
		return it.summary.bcc
	}
	return it.categories
}
