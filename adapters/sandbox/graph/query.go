package graph

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A query is what a list or get asks for.
type query struct {
	sel     []string // nil: everything
	filter  *filter
	search  *searchTerms
	orders  []order
	top     int
	skip    int
	count   bool
	expands bool // $expand=attachments
}

// An order is one property of $orderby.
type order struct {
	path string
	desc bool
}

// Bounds of $top.
const (
	defaultTop = 10
	maxTop     = 1000
)

func badQuery(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

// query reads the allowed query options. Anything else is refused, never ignored.
func (c *call) query(allowed ...string) (q query, e *apiError) {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return query{}, badQuery("The query cannot be read.")
	}
	q.top = defaultTop
	for name, v := range values {
		// The dollar sign of a system query option is optional.
		if !strings.HasPrefix(name, "$") {
			name = "$" + name
		}
		name = strings.ToLower(name)
		if !slices.Contains(allowed, name) || len(v) != 1 {
			return query{}, badQuery("The query parameter '%s' is not supported here.", name)
		}
		if e := q.option(name, v[0]); e != nil {
			return query{}, e
		}
	}
	return q, q.check()
}

func (q *query) option(name, v string) *apiError {
	var err error
	switch name {
	case "$select":
		for p := range strings.SplitSeq(v, ",") {
			if p = strings.TrimSpace(p); !messageProperties[p] {
				return badQuery("Could not find a property named '%s' on type 'microsoft.graph.message'.", p)
			}
			q.sel = append(q.sel, p)
		}
	case "$top":
		if q.top, err = strconv.Atoi(v); err != nil || q.top < 1 || q.top > maxTop {
			return badQuery("The limit of '%d' for Top query has been exceeded, or it is no number.", maxTop)
		}
	case "$skip", "$skiptoken":
		if q.skip, err = strconv.Atoi(v); err != nil || q.skip < 0 {
			return badQuery("Invalid value '%s' for %s query option found.", v, name)
		}
	case "$count":
		if q.count, err = strconv.ParseBool(v); err != nil {
			return badQuery("Invalid value '%s' for $count query option found.", v)
		}
	case "$filter":
		if q.filter, err = parseFilter(v); err != nil {
			return badQuery("Invalid filter clause: %s", err)
		}
	case "$search":
		if q.search, err = parseSearch(v); err != nil {
			return badQuery("Syntax error: %s", err)
		}
	case "$orderby":
		if q.orders, err = parseOrder(v); err != nil {
			return badQuery("Invalid orderby clause: %s", err)
		}
	case "$expand":
		if v != "attachments" {
			return badQuery("The sandbox expands attachments only.")
		}
		q.expands = true
	}
	return nil
}

// check applies what Graph says of options that meet (contracts B11).
func (q *query) check() *apiError {
	if q.search != nil && q.filter != nil {
		return &apiError{http.StatusBadRequest, "SearchWithFilter", "The query parameter '$filter' is not supported with '$search'."}
	}
	if q.search != nil && len(q.orders) > 0 {
		return &apiError{http.StatusBadRequest, "SearchWithOrderBy", "The query parameter '$orderBy' is not supported with '$search'."}
	}
	if q.filter == nil {
		return nil
	}
	// The properties of $orderby stand in $filter too, in the same order and before all others.
	paths := slices.Compact(q.filter.paths())
	for i, o := range q.orders {
		if i >= len(paths) || paths[i] != o.path {
			return &apiError{http.StatusBadRequest, "InefficientFilter",
				"The restriction or sort order is too complex for this operation."}
		}
	}
	return nil
}

func parseOrder(text string) (out []order, err error) {
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 {
			return nil, errors.New("a property, then asc or desc")
		}
		if _, ok := filterTypes[words[0]]; !ok {
			return nil, fmt.Errorf("could not find a property named '%s'", words[0])
		}
		o := order{path: words[0]}
		if len(words) == 2 {
			o.desc = strings.EqualFold(words[1], "desc")
			if !o.desc && !strings.EqualFold(words[1], "asc") {
				return nil, fmt.Errorf("'%s' is neither asc nor desc", words[1])
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// sort orders items; those that are equal stay newest first.
func (q *query) sort(items []item, now time.Time) {
	slices.SortStableFunc(items, func(a, b item) int {
		for _, o := range q.orders {
			c := compareValues(a.property(o.path, now), b.property(o.path, now))
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		b, _ := b.(string) // the same property
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	case time.Time:
		b, _ := b.(time.Time) // likewise
		return a.Compare(b)
	case bool:
		switch {
		case a == b:
			return 0
		case a:
			return 1
		}
		return -1
	}
	return 0
}

// page cuts the page that is asked for out of all that was found.
func (q *query) page(items []item) (page []item, more bool) {
	from := min(q.skip, len(items))
	to := min(from+q.top, len(items))
	return items[from:to], to < len(items)
}

// nextLink is the address of the next page: the same question, further on.
func (c *call) nextLink(q query) string {
	values := c.r.URL.Query()
	name := "$skip"
	if q.search != nil {
		name = "$skiptoken"
	}
	for _, old := range []string{"skip", "$skip", "skiptoken", "$skiptoken"} {
		values.Del(old)
	}
	values.Set(name, strconv.Itoa(q.skip+q.top))
	return c.base() + c.r.URL.EscapedPath() + "?" + values.Encode()
}

// listMessages answers a list or a search of messages.
func (g *Server) listMessages(c *call) {
	q, e := c.query("$select", "$filter", "$top", "$skip", "$skiptoken", "$orderby", "$search", "$count", "$expand")
	var found []item
	if e == nil {
		found, e = c.find(q)
	}
	if e != nil {
		c.failErr(e)
		return
	}
	page, more := q.page(found)
	value := []map[string]any{}
	for i := range page {
		doc, e := c.document(&page[i], q)
		if e != nil {
			c.failErr(e)
			return
		}
		value = append(value, doc)
	}
	answer := map[string]any{"@odata.context": c.context("messages"), "value": value}
	if q.count {
		answer["@odata.count"] = len(found)
	}
	if more {
		answer["@odata.nextLink"] = c.nextLink(q)
	}
	c.accepted(func() { core.WriteJSON(c.w, http.StatusOK, answer) })
}

// find returns copies of the items that the query means, in its order.
func (c *call) find(q query) ([]item, *apiError) {
	folder := ""
	if name := c.r.PathValue("folder"); name != "" {
		f, e := c.folder(name)
		if e != nil {
			return nil, e
		}
		folder = f.name
	}
	now := c.g.now()
	found := c.g.boxes.find(c.mailbox, folder, q.filter.conjoined("internetMessageId"), now, func(it *item) bool {
		return q.filter.match(it, now)
	})
	if q.search != nil {
		var kept []item
		for i := range found {
			hit, e := c.matches(q.search, &found[i])
			if e != nil {
				return nil, e
			}
			if hit {
				kept = append(kept, found[i])
			}
		}
		found = kept
	}
	if len(q.orders) > 0 {
		q.sort(found, now)
	}
	return found, nil
}

// countMessages answers /messages/$count: a number as text.
func (g *Server) countMessages(c *call) {
	q, e := c.query("$filter", "$search")
	var found []item
	if e == nil {
		found, e = c.find(q)
	}
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() {
		c.w.Header().Set("Content-Type", "text/plain")
		_, _ = c.w.Write([]byte(strconv.Itoa(len(found)))) // a client that is gone needs no answer
	})
}

// context is @odata.context of the mailbox's collection.
func (c *call) context(collection string) string {
	return c.base() + "/v1.0/$metadata#users('" + url.PathEscape(c.mailbox) + "')/" + collection
}

// odataString reads a quoted string, in which a quote is doubled.
func odataString(text string) (v, rest string, err error) {
	if !strings.HasPrefix(text, "'") {
		return "", "", errors.New("a string stands in single quotes")
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), text[i+1:], nil
	}
	return "", "", errors.New("the string does not end")
}
