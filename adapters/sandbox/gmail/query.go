package gmail

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A condition is one term of a search; several must all hold, unless OR stands between.
type condition struct {
	not  bool
	name string // operator; empty: a word
	word string // lower case
	when time.Time
	size int64
}

// A search is groups of conditions: every group must hold, and of a group one condition.
type search [][]condition

// parseSearch reads q in the search syntax of Gmail. As there, what is no operator is a
// word, and nothing is an error.
func parseSearch(q string, now time.Time) (out search) {
	or := false
	for q = strings.TrimSpace(q); q != ""; q = strings.TrimSpace(q) {
		var term string
		term, q = core.CutTerm(q)
		switch term {
		case "OR", "|":
			or = len(out) > 0
			continue
		case "AND", "(", ")":
			continue
		}
		c := newCondition(strings.Trim(term, "()"), now)
		if or {
			out[len(out)-1] = append(out[len(out)-1], c)
		} else {
			out = append(out, []condition{c})
		}
		or = false
	}
	return out
}

func newCondition(term string, now time.Time) (c condition) {
	if rest, ok := strings.CutPrefix(term, "-"); ok && rest != "" {
		c.not, term = true, rest
	}
	name, value, found := strings.Cut(term, ":")
	name = strings.ToLower(name)
	if !found || value == "" || !slices.Contains(operators(), name) {
		c.word = strings.ToLower(strings.Trim(term, `"+`))
		return c
	}
	c.name, c.word = name, strings.ToLower(strings.Trim(value, `"()`))
	switch name {
	case "after", "newer", "before", "older":
		c.when = searchDate(c.word)
	case "newer_than", "older_than":
		c.when = ago(now, c.word)
	case "larger", "smaller", "size":
		c.size = searchSize(c.word)
	case "rfc822msgid":
		c.word = strings.Trim(strings.Trim(value, `"`), "<>") // as it is: ids tell case apart
	}
	return c
}

func operators() []string {
	return []string{"after", "bcc", "before", "cc", "deliveredto", "filename", "from", "has", "in", "is", "label", "larger", "newer",
		"newer_than", "older", "older_than", "rfc822msgid", "size", "smaller", "subject", "to"}
}

// searchDate reads a day, or seconds since 1970; the zero time is none.
func searchDate(v string) time.Time {
	for _, layout := range []string{"2006/1/2", "2006-1-2", "1/2/2006"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t
		}
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// ago is the time that 2d, 3m, 1y or 4h back from now is.
func ago(now time.Time, v string) time.Time {
	n, err := strconv.Atoi(strings.TrimRight(v, "hdmy"))
	if err != nil || n < 0 || n > 100_000 {
		return time.Time{}
	}
	switch v[len(v)-1] {
	case 'h':
		return now.Add(-time.Duration(n) * time.Hour)
	case 'm':
		return now.AddDate(0, -n, 0)
	case 'y':
		return now.AddDate(-n, 0, 0)
	}
	return now.AddDate(0, 0, -n)
}

// searchSize reads bytes, K or M.
func searchSize(v string) int64 {
	unit := int64(1)
	switch {
	case strings.HasSuffix(v, "k"):
		unit = 1 << 10
	case strings.HasSuffix(v, "m"):
		unit = 1 << 20
	}
	n, err := strconv.ParseInt(strings.TrimRight(v, "kmb"), 10, 40)
	if err != nil {
		return 0
	}
	return n * unit
}

// messageID is the id of a search for one message alone, which an index finds.
func (s search) messageID() string {
	for _, group := range s {
		if len(group) == 1 && group[0].name == "rfc822msgid" && !group[0].not {
			return group[0].word
		}
	}
	return ""
}

// names reports whether a condition names the place, such as in:trash.
func (s search) names(places ...string) bool {
	return slices.ContainsFunc(s, func(group []condition) bool {
		return slices.ContainsFunc(group, func(c condition) bool {
			return (c.name == "in" || c.name == "label" || c.name == "is") && slices.Contains(places, c.word)
		})
	})
}

// needsContent reports whether the search looks into messages.
func (s search) needsContent() bool {
	return slices.ContainsFunc(s, func(group []condition) bool {
		return slices.ContainsFunc(group, func(c condition) bool {
			return !slices.Contains([]string{"after", "newer", "before", "older", "newer_than", "older_than", "larger", "smaller", "size", "in",
				"is", "label", "rfc822msgid"}, c.name)
		})
	})
}

// match reports whether the search means the message; v is nil where needsContent is false.
func (s search) match(m *storedMessage, v *view) bool {
	for _, group := range s {
		if !slices.ContainsFunc(group, func(c condition) bool { return c.match(m, v) != c.not }) {
			return false
		}
	}
	return true
}

func (c condition) match(m *storedMessage, v *view) bool {
	switch c.name {
	case "after", "newer", "newer_than":
		return !m.at.Before(c.when)
	case "before", "older", "older_than":
		return m.at.Before(c.when)
	case "larger", "size":
		return m.size > c.size
	case "smaller":
		return m.size < c.size
	case "rfc822msgid":
		return strings.Trim(m.messageID, "<>") == c.word
	case "in", "is", "label":
		return c.matchLabel(m)
	case "has":
		return c.word == "attachment" && len(v.files) > 0
	case "filename":
		return slices.ContainsFunc(v.files, func(name string) bool { return strings.Contains(strings.ToLower(name), c.word) })
	case "from", "to", "cc", "bcc", "subject":
		return v.has(c.word, c.name)
	case "deliveredto":
		return c.word == m.mailbox
	}
	return v.has(c.word, "from", "to", "cc", "bcc", "subject") || strings.Contains(strings.ToLower(v.text), c.word)
}

func (c condition) matchLabel(m *storedMessage) bool {
	switch c.word {
	case "anywhere":
		return true
	case "read":
		return !slices.Contains(m.labels, "UNREAD")
	case "draft", "drafts":
		return slices.Contains(m.labels, "DRAFT")
	}
	return slices.ContainsFunc(m.labels, func(l string) bool { return strings.EqualFold(l, c.word) }) ||
		slices.ContainsFunc(m.labelNames, func(l string) bool {
			return strings.EqualFold(strings.NewReplacer(" ", "-", "/", "-").Replace(l), c.word) || strings.EqualFold(l, c.word)
		})
}

// has reports whether one of the fields holds the word.
func (v *view) has(word string, fields ...string) bool {
	return slices.ContainsFunc(v.header, func(f core.Field) bool {
		return slices.Contains(fields, strings.ToLower(f.Name)) && strings.Contains(strings.ToLower(core.DecodeWords(f.Value)), word)
	})
}
