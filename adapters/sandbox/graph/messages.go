package graph

import (
	"net/http"

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
	if name := c.r.PathValue("folder"); name != "" {
		f, e := c.folder(name)
		if e != nil {
			it.take().remove(g.core.Log, nil)
			c.failErr(e)
			return
		}
		if f.name != drafts {
			it.where = f.name
		}
	}
	doc, e := c.document(it, query{})
	if e != nil {
		it.take().remove(g.core.Log, nil)
		c.failErr(e)
		return
	}
	g.boxes.add(c.mailbox, it)
	c.accepted(func() { c.writeItem(http.StatusCreated, doc) })
}

func (c *call) writeItem(status int, doc map[string]any) {
	doc["@odata.context"] = c.context("messages/$entity")
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
	var changed item
	ok := c.onDraft(func(it *item) *apiError {
		g.boxes.rename(c.mailbox, it, next.messageID)
		it.content, next.content = next.content, it.content
		it.summary, it.sentDate, it.modified = next.summary, next.sentDate, next.created
		changed = *it
		return nil
	})
	next.take().remove(g.core.Log, nil)
	if !ok {
		return
	}
	doc, e := c.document(&changed, query{})
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { c.writeItem(http.StatusOK, doc) })
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
