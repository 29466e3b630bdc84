package mime

import (
	"html"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// nameInline gives inline attachments without a Content-ID the one that the
// HTML means: it refers to them by file name. A name that cannot be a Content-ID
// (spaces, accents) is written in the HTML with percent signs (RFC 2392), which
// readers undo or not; so such a file gets a plain identifier, and the HTML that
// is sent refers to that.
func (c *composer) nameInline() {
	atts := c.draft.Attachments
	c.html = c.draft.HTML
	byName := map[string]int{}
	taken := map[string]bool{}
	for i := range atts {
		name := BaseName(atts[i].Filename)
		switch _, dup := byName[name]; {
		case atts[i].ContentID != "":
			taken[strings.Trim(atts[i].ContentID, "<> ")] = true
		case atts[i].Inline && name != "" && !dup:
			byName[norm.NFC.String(name)] = i
		}
	}
	if len(byName) == 0 || c.html == "" {
		return
	}
	c.inlineIDs = map[int]string{}
	var out strings.Builder
	done := 0
	eachCID(c.html, func(start, end int) {
		i, ok := byName[referredName(c.html[start:end])]
		if !ok {
			return
		}
		id := c.inlineIDs[i]
		if id == "" {
			id = plainID(BaseName(atts[i].Filename), taken)
			taken[id], c.inlineIDs[i] = true, id
		}
		out.WriteString(c.html[done:start])
		out.WriteString(id)
		done = end
	})
	if done > 0 {
		out.WriteString(c.html[done:])
		c.html = out.String()
	}
}

// eachCID finds what follows cid: in attribute values and in url().
func eachCID(s string, f func(start, end int)) {
	const scheme = "cid:"
	const longest = 6 * maxFilename // each octet as &#nnn; at worst
	ends := [...]string{`"`, "'", ")", " \t\r\n>"}
	var next [len(ends)]int // where the first of each is after the last place looked at
	for pos := 0; ; {
		colon := strings.IndexByte(s[pos:], ':')
		if colon < 0 {
			return
		}
		start := pos + colon + 1
		pos = start
		at := start - len(scheme)
		if at < 1 || !strings.EqualFold(s[at:start], scheme) {
			continue
		}
		kind := strings.IndexByte("\"'(= \t\r\n", s[at-1])
		if kind < 0 {
			continue
		}
		kind = min(kind, len(ends)-1)
		if next[kind] < start {
			next[kind] = len(s)
			if n := strings.IndexAny(s[start:], ends[kind]); n >= 0 {
				next[kind] = start + n
			}
		}
		end := next[kind]
		if end == len(s) || end == start || end-start > longest {
			continue
		}
		f(start, end)
		pos = end
	}
}

// referredName is the file name that a reference means.
func referredName(ref string) string {
	name := html.UnescapeString(strings.TrimSpace(ref))
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return norm.NFC.String(name)
}

// plainID makes an identifier of a file name that every reader finds again.
func plainID(name string, taken map[string]bool) string {
	base := strings.Map(func(r rune) rune {
		if r < 0x80 && isAlnum(byte(r)) || strings.ContainsRune("._-@", r) {
			return r
		}
		return '-'
	}, asciiName(name))
	id := base
	for n := 2; taken[id]; n++ {
		id = strconv.Itoa(n) + "-" + base
	}
	return id
}
