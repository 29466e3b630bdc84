package graph

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/mime"
)

// A view is what an item's content shows: of MIME, what was read out of it.
type view struct {
	html, text  string
	replyTo     []jsonRecipient
	headers     []core.Field // of MIME
	attachments []*attachment
}

// previewLength is how much of the text bodyPreview has.
const previewLength = 255

// openContent opens the item's MIME: as it was given, as it was sent, or built from a
// JSON draft.
func (c *call) openContent(it *item) (io.ReadCloser, *apiError) {
	var rc io.ReadCloser
	var err error
	switch {
	case it.received:
		rc, err = c.g.core.OpenShown(it.seq)
	case it.seq > 0:
		rc, err = c.g.core.Open(it.seq)
	case it.mime != nil && len(it.attachments) == 0:
		rc, err = it.mime.Open()
	case it.mime == nil && it.message == nil:
		return nil, itemNotFound() // it is being sent or removed
	default:
		m, e := c.finalMessage(it)
		if e != nil {
			return nil, e
		}
		if rc, err = m.Open(); err == nil {
			rc = discarding{rc, m}
		}
	}
	if errors.Is(err, control.ErrNoDelivery) {
		return nil, itemNotFound()
	}
	if err != nil {
		return nil, &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	return rc, nil
}

// discarding removes a message that was built to be read once.
type discarding struct {
	io.ReadCloser
	m *core.Message
}

// Close closes and removes.
func (d discarding) Close() error { return errors.Join(d.ReadCloser.Close(), d.m.Discard()) }

// read returns what the item shows.
func (c *call) read(it *item) (*view, *apiError) {
	if it.seq == 0 && it.message != nil {
		v := &view{replyTo: it.message.ReplyTo, attachments: it.attachments}
		if strings.EqualFold(it.message.Body.Type, "html") {
			v.html, v.text = it.message.Body.Content, mime.TextFromHTML(it.message.Body.Content)
		} else {
			v.text = it.message.Body.Content
		}
		return v, nil
	}
	rc, e := c.openContent(it)
	if e != nil {
		return nil, e
	}
	defer rc.Close()
	data, err := io.ReadAll(rc)
	if err != nil {
		return nil, &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	return viewOf(data), nil
}

// viewOf reads MIME. What cannot be read is shown as text, as mail readers do.
func viewOf(data []byte) *view {
	m, err := mime.Read(mime.Bytes(data), mime.Limits{})
	if err != nil {
		return &view{text: string(data)}
	}
	v := new(view)
	// What of a body cannot be decoded is not shown; the rest is.
	v.text, v.html, _ = m.TextBodies(1 << 20)
	if v.text == "" && v.html != "" {
		v.text = mime.TextFromHTML(v.html)
	}
	for _, a := range m.ReplyTo() {
		v.replyTo = append(v.replyTo, recipientOf(a))
	}
	v.headers, _ = core.ParseFields(m.Head())
	root, err := m.Structure()
	if err != nil {
		return v
	}
	root.Walk(false, func(p *mime.Part) bool {
		inline := p.ContentID != "" && !p.Multipart() && !strings.HasPrefix(p.MediaType, "text/")
		if p.Attachment() || inline {
			a := &attachment{name: p.Filename, contentType: p.MediaType, contentID: p.ContentID, inline: inline && p.Disposition != "attachment"}
			a.read = func() ([]byte, error) { return io.ReadAll(m.Open(p)) }
			a.id = "AAMkAGP" + itemHash(a.name, a.contentType, len(v.attachments))
			v.attachments = append(v.attachments, a)
		}
		return true
	})
	return v
}

// bytes are the content of an attachment.
func (a *attachment) bytes() ([]byte, error) {
	if a.read != nil {
		return a.read()
	}
	rc, err := a.content.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

// getMIME returns the MIME of an item.
func (g *Server) getMIME(c *call) {
	var it item
	if !c.onItem(func(found *item) *apiError { it = *found; return nil }) {
		return
	}
	rc, e := c.openContent(&it)
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() {
		c.w.Header().Set("Content-Type", "text/plain")
		if _, err := io.Copy(c.w, rc); err != nil {
			g.core.Log.Debug("a message was not read to its end", "err", err)
		}
	})
	if err := rc.Close(); err != nil {
		g.core.Log.Error("a message cannot be closed", "err", err)
	}
}

// needsContent are the properties that stand in the content.
var needsContent = []string{"body", "bodyPreview", "replyTo", "internetMessageHeaders", "uniqueBody"}

// document is the item as JSON, as the query selects.
func (c *call) document(it *item, q query) (map[string]any, *apiError) {
	doc := it.document(c.g.now(), c.prefersImmutable())
	if q.sel == nil || q.expands || slices.ContainsFunc(q.sel, func(p string) bool { return slices.Contains(needsContent, p) }) {
		v, e := c.read(it)
		if e != nil {
			return nil, e
		}
		c.addContent(doc, it, v, q)
	}
	if q.sel == nil {
		delete(doc, "internetMessageHeaders") // only on request (B6.1)
		return doc, nil
	}
	out := map[string]any{"id": doc["id"]}
	for _, name := range append(q.sel, "attachments") {
		if v, ok := doc[name]; ok {
			out[name] = v
		}
	}
	return out, nil
}

func (c *call) addContent(doc map[string]any, it *item, v *view, q query) {
	kind, content := "html", v.html
	if content == "" || c.prefers(`outlook.body-content-type="text"`) {
		kind, content = "text", v.text
	}
	doc["body"] = jsonBody{Type: kind, Content: content}
	preview := []rune(strings.Join(strings.Fields(v.text), " "))
	doc["bodyPreview"] = string(preview[:min(len(preview), previewLength)])
	if doc["replyTo"] = v.replyTo; v.replyTo == nil {
		doc["replyTo"] = []jsonRecipient{}
	}
	if !it.isSent() { // not of sent items (L2)
		headers := []map[string]string{}
		for _, f := range v.headers {
			headers = append(headers, map[string]string{"name": f.Name, "value": core.DecodeWords(f.Value)})
		}
		doc["internetMessageHeaders"] = headers
	}
	if q.expands {
		list := []map[string]any{}
		for _, a := range v.attachments {
			list = append(list, a.document())
		}
		doc["attachments"] = list
	}
}

// prefers reports whether the request has the preference, without regard to case.
func (c *call) prefers(preference string) bool {
	for _, v := range c.r.Header.Values("Prefer") {
		if strings.Contains(strings.ToLower(strings.ReplaceAll(v, " ", "")), strings.ToLower(preference)) {
			return true
		}
	}
	return false
}

func (g *Server) getMessage(c *call) {
	q, e := c.query("$select", "$expand")
	if e != nil {
		c.failErr(e)
		return
	}
	var it item
	if !c.onItem(func(found *item) *apiError { it = *found; return nil }) {
		return
	}
	doc, e := c.document(&it, q)
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { c.writeItem(http.StatusOK, doc) })
}

// The attachments of a message, by id.

func (g *Server) listAttachments(c *call) {
	list, ok := c.attachments()
	if !ok {
		return
	}
	value := []map[string]any{}
	for _, a := range list {
		value = append(value, a.document())
	}
	c.accepted(func() {
		core.WriteJSON(c.w, http.StatusOK, map[string]any{"@odata.context": c.context("messages/attachments"), "value": value})
	})
}

// attachments are those of the message of the path.
func (c *call) attachments() ([]*attachment, bool) {
	var it item
	if !c.onItem(func(found *item) *apiError { it = *found; it.attachments = slices.Clone(found.attachments); return nil }) {
		return nil, false
	}
	if it.seq == 0 && len(it.attachments) > 0 { // uploaded ones have their ids already
		own := it.attachments
		if it.mime == nil {
			return own, true
		}
		it.attachments = nil
		v, e := c.read(&it)
		if e != nil {
			c.failErr(e)
			return nil, false
		}
		return append(v.attachments, own...), true
	}
	v, e := c.read(&it)
	if e != nil {
		c.failErr(e)
		return nil, false
	}
	return v.attachments, true
}

func (c *call) attachment() (*attachment, []byte, bool) {
	list, ok := c.attachments()
	if !ok {
		return nil, nil, false
	}
	i := slices.IndexFunc(list, func(a *attachment) bool { return a.id == c.r.PathValue("attachment") })
	if i < 0 {
		c.failErr(itemNotFound())
		return nil, nil, false
	}
	data, err := list[i].bytes()
	if err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return nil, nil, false
	}
	return list[i], data, true
}

func (g *Server) getAttachment(c *call) {
	if a, data, ok := c.attachment(); ok {
		doc := a.document()
		doc["contentBytes"], doc["size"] = data, len(data)
		c.accepted(func() { core.WriteJSON(c.w, http.StatusOK, doc) })
	}
}

func (g *Server) getAttachmentContent(c *call) {
	if a, data, ok := c.attachment(); ok {
		c.accepted(func() {
			c.w.Header().Set("Content-Type", a.contentType)
			_, _ = io.Copy(c.w, bytes.NewReader(data)) // a client that is gone needs no answer
		})
	}
}

// deleteAttachment takes a file that was added away from a draft again.
func (g *Server) deleteAttachment(c *call) {
	var gone *attachment
	if !c.onDraft(func(it *item) *apiError {
		i := slices.IndexFunc(it.attachments, func(a *attachment) bool { return a.id == c.r.PathValue("attachment") })
		if i < 0 {
			return itemNotFound()
		}
		gone = it.attachments[i]
		it.attachments = slices.Delete(slices.Clone(it.attachments), i, i+1)
		it.summary.attachments = len(it.attachments) > 0
		it.modified = g.now()
		return nil
	}) {
		return
	}
	if err := gone.content.Remove(); err != nil {
		g.core.Log.Error("an attachment stays on disk", "err", err)
	}
	c.accepted(func() { c.w.WriteHeader(http.StatusNoContent) })
}
