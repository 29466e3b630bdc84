package graph

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// createMessage makes a draft (B3 step 1).
func (g *Server) createMessage(c *call) {
	it, err := newItem(g.now())
	if err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	var e *apiError
	if c.body.mime != nil {
		e = it.setMIME(c)
	} else {
		e = it.setJSON(c, c.body.json)
	}
	if e != nil {
		it.take().remove(g.core.Log, nil)
		c.failErr(e)
		return
	}
	doc := it.document(g.now(), c.prefersImmutable(), nil)
	g.boxes.add(c.mailbox, it)
	c.accepted(func() { c.writeItem(http.StatusCreated, doc) })
}

func (c *call) writeItem(status int, doc map[string]any) {
	doc["@odata.context"] = c.base() + "/v1.0/$metadata#users('" + url.PathEscape(c.mailbox) + "')/messages/$entity"
	if c.prefersImmutable() {
		c.w.Header().Set("Preference-Applied", `IdType="ImmutableId"`)
	}
	core.WriteJSON(c.w, status, doc)
}

// onItem runs do with the item of the path, under the lock of the mailboxes.
func (c *call) onItem(do func(*item) *apiError) bool {
	e := c.g.boxes.with(c.mailbox, c.r.PathValue("id"), c.g.now(), do)
	if e != nil {
		c.failErr(e)
	}
	return e == nil
}

// onDraft is onItem for an item that can still be changed.
func (c *call) onDraft(do func(*item) *apiError) bool {
	return c.onItem(func(it *item) *apiError {
		if it.submitted || it.busy {
			return itemNotFound()
		}
		return do(it)
	})
}

func (g *Server) getMessage(c *call) {
	q, e := c.query("$select")
	if e != nil {
		c.failErr(e)
		return
	}
	var doc map[string]any
	if c.onItem(func(it *item) *apiError {
		doc = it.document(g.now(), c.prefersImmutable(), q.sel)
		return nil
	}) {
		c.accepted(func() { c.writeItem(http.StatusOK, doc) })
	}
}

// listMessages searches: $filter with internetMessageId and isDraft, joined by
// "and". Anything else is refused, never ignored.
func (g *Server) listMessages(c *call) {
	q, e := c.query("$select", "$filter", "$top")
	folder := ""
	if name := c.r.PathValue("folder"); e == nil && name != "" {
		if folder = wellKnown(name); folder == "" {
			e = itemNotFound()
		}
	}
	if e != nil {
		c.failErr(e)
		return
	}
	now := g.now()
	found := g.boxes.find(c.mailbox, folder, q.messageID, now, func(it item) bool {
		return q.isDraft == nil || *q.isDraft == (it.folder(now) == drafts)
	}, q.top)
	value := []map[string]any{}
	for _, it := range found {
		value = append(value, it.document(now, c.prefersImmutable(), q.sel))
	}
	c.accepted(func() {
		core.WriteJSON(c.w, http.StatusOK, map[string]any{
			"@odata.context": c.base() + "/v1.0/$metadata#users('" + url.PathEscape(c.mailbox) + "')/messages", "value": value,
		})
	})
}

// wellKnown is the folder of a well-known name or of an id; inbox is one that
// is always empty.
func wellKnown(name string) string {
	for _, f := range []string{drafts, sentItems, "inbox"} {
		if strings.EqualFold(name, f) || name == folderID(f) {
			return f
		}
	}
	return ""
}

func (g *Server) getFolder(c *call) {
	folder := wellKnown(c.r.PathValue("folder"))
	if folder == "" {
		c.failErr(itemNotFound())
		return
	}
	n := len(g.boxes.find(c.mailbox, folder, "", g.now(), func(item) bool { return true }, -1))
	c.accepted(func() {
		core.WriteJSON(c.w, http.StatusOK, map[string]any{"id": folderID(folder), "displayName": folder, "totalItemCount": n,
			"unreadItemCount": 0, "childFolderCount": 0})
	})
}

func (g *Server) deleteMessage(c *call) {
	var gone content
	if c.onItem(func(it *item) *apiError {
		if it.busy {
			return &apiError{http.StatusConflict, "ErrorIrresolvableConflict", "The item is being sent."}
		}
		g.boxes.remove(c.mailbox, it)
		gone = it.take()
		return nil
	}) {
		gone.remove(g.core.Log, nil)
		c.accepted(func() { c.w.WriteHeader(http.StatusNoContent) })
	}
}

// putMIME replaces a draft's content (B3 step 1b).
func (g *Server) putMIME(c *call) {
	next, err := newItem(g.now())
	if err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	if e := next.setMIME(c); e != nil {
		next.take().remove(g.core.Log, nil)
		c.failErr(e)
		return
	}
	var doc map[string]any
	ok := c.onDraft(func(it *item) *apiError {
		g.boxes.rename(c.mailbox, it, next.messageID)
		it.content, next.content = next.content, it.content
		it.summary, it.sentDate, it.modified = next.summary, next.sentDate, next.created
		doc = it.document(g.now(), c.prefersImmutable(), nil)
		return nil
	})
	next.take().remove(g.core.Log, nil)
	if ok {
		c.accepted(func() { c.writeItem(http.StatusOK, doc) })
	}
}

// getMIME returns the content of a draft that was made of MIME.
func (g *Server) getMIME(c *call) {
	var rc io.ReadCloser
	if !c.onDraft(func(it *item) *apiError {
		if it.mime == nil {
			return badRequest("This fake keeps no MIME of a JSON draft.")
		}
		var err error
		if rc, err = it.mime.Open(); err != nil {
			return &apiError{http.StatusInternalServerError, "", err.Error()}
		}
		return nil
	}) {
		return
	}
	c.accepted(func() {
		c.w.Header().Set("Content-Type", "text/plain")
		if _, err := io.Copy(c.w, rc); err != nil {
			g.core.Log.Debug("a draft was not read to its end", "err", err)
		}
	})
	if err := rc.Close(); err != nil {
		g.core.Log.Error("a draft cannot be closed", "err", err)
	}
}

// sendDraft sends a draft (B3 step 5). What was sent before is not found.
func (g *Server) sendDraft(c *call) {
	if c.r.Header.Get("Content-Length") == "" {
		c.fail(http.StatusLengthRequired, "LengthRequired", "Content-Length: 0 is required.")
		return
	}
	var it *item
	if !c.onDraft(func(found *item) *apiError {
		found.busy, found.modified = true, g.now()
		it = found
		return nil
	}) {
		return
	}
	e := c.deliver(it, "draft")
	g.boxes.mu.Lock()
	it.busy = false
	g.boxes.mu.Unlock()
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { c.w.WriteHeader(http.StatusAccepted) })
}

// A query is what a list or get asks for.
type query struct {
	sel       []string
	messageID string
	isDraft   *bool
	top       int
}

func (c *call) query(allowed ...string) (q query, e *apiError) {
	bad := func(text string) *apiError { return &apiError{http.StatusBadRequest, "BadRequest", text} }
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return query{}, bad("The query cannot be read.")
	}
	q.top = 10
	for name, v := range values {
		if !slices.Contains(allowed, name) || len(v) != 1 {
			return query{}, bad("The query parameter '" + name + "' is not supported here.")
		}
		switch name {
		case "$select":
			for p := range strings.SplitSeq(v[0], ",") {
				if p = strings.TrimSpace(p); !messageProperties[p] {
					return query{}, bad("Could not find a property named '" + p + "' on type 'microsoft.graph.message'.")
				}
				q.sel = append(q.sel, p)
			}
		case "$top":
			if q.top, err = strconv.Atoi(v[0]); err != nil || q.top < 1 || q.top > 1000 {
				return query{}, bad("The limit of '1000' for Top query has been exceeded, or it is no number.")
			}
		case "$filter":
			if err := q.filter(v[0]); err != nil {
				return query{}, bad("Invalid filter clause: " + err.Error())
			}
		}
	}
	return q, nil
}

// filter reads conditions joined by "and".
func (q *query) filter(text string) error {
	for {
		text = strings.TrimSpace(text)
		name, rest, _ := strings.Cut(text, " ")
		op, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
		rest = strings.TrimLeft(rest, " ")
		if !strings.EqualFold(op, "eq") {
			return errors.New("only eq is known")
		}
		switch name {
		case "internetMessageId":
			v, after, err := odataString(rest)
			if err != nil {
				return err
			}
			q.messageID, rest = v, after
		case "isDraft":
			word, after, _ := strings.Cut(rest, " ")
			v, err := strconv.ParseBool(word)
			if err != nil {
				return errors.New("isDraft is true or false")
			}
			q.isDraft, rest = &v, after
		default:
			return errors.New("the property '" + name + "' cannot be filtered by")
		}
		if rest = strings.TrimSpace(rest); rest == "" {
			return nil
		}
		and, next, _ := strings.Cut(rest, " ")
		if !strings.EqualFold(and, "and") {
			return errors.New("conditions are joined by and")
		}
		text = next
	}
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
		if b.Len() == 0 {
			return "", "", errors.New("the string is empty")
		}
		return b.String(), text[i+1:], nil
	}
	return "", "", errors.New("the string does not end")
}
