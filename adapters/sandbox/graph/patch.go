package graph

import (
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/mime"
)

// A messagePatch is what PATCH may set; nil is not mentioned.
type messagePatch struct {
	Type           string           `json:"@odata.type"`
	Subject        *string          `json:"subject"`
	Body           *jsonBody        `json:"body"`
	From           *jsonRecipient   `json:"from"`
	Sender         *jsonRecipient   `json:"sender"`
	ReplyTo        *[]jsonRecipient `json:"replyTo"`
	To             *[]jsonRecipient `json:"toRecipients"`
	Cc             *[]jsonRecipient `json:"ccRecipients"`
	Bcc            *[]jsonRecipient `json:"bccRecipients"`
	Importance     *string          `json:"importance"`
	MessageID      *string          `json:"internetMessageId"`
	Categories     *[]string        `json:"categories"`
	IsRead         *bool            `json:"isRead"`
	Flag           any              `json:"flag"`
	Classification *string          `json:"inferenceClassification"`
	ReadReceipt    *bool            `json:"isReadReceiptRequested"`
	Delivery       *bool            `json:"isDeliveryReceiptRequested"`
	Properties     []jsonProperty   `json:"singleValueExtendedProperties"`
}

// changesContent reports whether the patch sets what only a draft lets be changed.
func (p *messagePatch) changesContent() bool {
	return p.Subject != nil || p.Body != nil || p.From != nil || p.Sender != nil || p.ReplyTo != nil || p.To != nil || p.Cc != nil ||
		p.Bcc != nil || p.MessageID != nil || p.ReadReceipt != nil || p.Delivery != nil || len(p.Properties) > 0
}

// patchMessage changes a message. A MIME draft with changed content becomes a JSON one,
// and loses what JSON cannot say (B2.5).
func (g *Server) patchMessage(c *call) {
	p := new(messagePatch)
	if err := core.DecodeStrict(c.body.json, p); err != nil {
		c.failErr(badRequest("The message cannot be read: " + err.Error()))
		return
	}
	if p.Body != nil && !bodyType(p.Body.Type) {
		c.failErr(badBodyType(p.Body.Type))
		return
	}
	if p.changesContent() {
		if e := c.toJSON(); e != nil {
			c.failErr(e)
			return
		}
	}
	var it item
	if !c.onItem(func(found *item) *apiError {
		if p.changesContent() && (found.submitted || found.busy || found.seq > 0 || found.message == nil) {
			return notADraft()
		}
		g.boxes.patch(c, found, p)
		it = *found
		return nil
	}) {
		return
	}
	doc, e := c.document(&it, query{})
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { c.writeItem(http.StatusOK, doc) })
}

func notADraft() *apiError {
	return &apiError{http.StatusBadRequest, "ErrorInvalidPropertySet", "The property can be changed of a draft only."}
}

func bodyType(v string) bool {
	return slices.Contains([]string{"", "text", "html"}, strings.ToLower(v))
}

func badBodyType(v string) *apiError {
	return badRequest("Cannot convert the literal '" + v + "' to the expected type 'microsoft.graph.bodyType'.")
}

// patch applies p; the lock is held.
func (m *mailboxes) patch(c *call, it *item, p *messagePatch) {
	if p.IsRead != nil {
		it.unread = !*p.IsRead
	}
	if p.Categories != nil {
		it.categories = *p.Categories
	}
	if p.Importance != nil {
		it.importance = strings.ToLower(*p.Importance)
	}
	if p.Flag != nil {
		it.flag = p.Flag
	}
	it.modified = c.g.now()
	if !p.changesContent() {
		return
	}
	next := *it.message // others may be reading the old one
	for _, set := range []struct {
		from *[]jsonRecipient
		to   *[]jsonRecipient
	}{{p.ReplyTo, &next.ReplyTo}, {p.To, &next.To}, {p.Cc, &next.Cc}, {p.Bcc, &next.Bcc}} {
		if set.from != nil {
			*set.to = *set.from
		}
	}
	if p.Subject != nil {
		next.Subject = *p.Subject
	}
	if p.Body != nil {
		next.Body = *p.Body
	}
	if p.From != nil {
		next.From = p.From
	}
	if p.Sender != nil {
		next.Sender = p.Sender
	}
	next.Properties = append(slices.Clone(next.Properties), p.Properties...)
	next.Importance = it.importance
	it.message = &next
	it.summarize(c.mailbox)
	if p.MessageID != nil && *p.MessageID != "" {
		m.rename(c.mailbox, it, *p.MessageID)
	}
}

// summarize fills the summary of a JSON draft.
func (it *item) summarize(mailbox string) {
	m := it.message
	from := "<" + mailbox + ">"
	if m.From != nil {
		from = m.From.String()
	}
	it.summary.subject, it.summary.from = m.Subject, from
	it.summary.to, it.summary.cc, it.summary.bcc = addressesOf(m.To), addressesOf(m.Cc), addressesOf(m.Bcc)
	it.summary.attachments = len(it.attachments) > 0
}

// toJSON makes a MIME draft of the path a JSON one. Anything else stays as it is.
func (c *call) toJSON() *apiError {
	var it item
	e := c.g.boxes.with(c.mailbox, c.r.PathValue("id"), c.g.now(), func(found *item) *apiError { it = *found; return nil })
	if e != nil || it.mime == nil || it.submitted || it.busy {
		return e
	}
	added := it.attachments
	it.attachments = nil
	v, e := c.read(&it)
	if e != nil {
		return e
	}
	next := &jsonMessage{Subject: it.summary.subject, Body: jsonBody{"text", v.text}, ReplyTo: v.replyTo, MessageID: it.messageID,
		To: recipientsOf(it.summary.to), Cc: recipientsOf(it.summary.cc), Bcc: recipientsOf(it.summary.bcc)}
	if v.html != "" {
		next.Body = jsonBody{"html", v.html}
	}
	if a, err := mime.ParseAddress(it.summary.from); err == nil {
		from := recipientOf(a)
		next.From = &from
	}
	files, e := c.keepAttachments(v.attachments)
	if e != nil {
		return e
	}
	old := it.mime
	e = c.g.boxes.with(c.mailbox, c.r.PathValue("id"), c.g.now(), func(found *item) *apiError {
		if found.mime != old || found.submitted || found.busy {
			return &apiError{http.StatusConflict, "ErrorIrresolvableConflict", "The item was changed meanwhile."}
		}
		found.mime, found.message, found.attachments = nil, next, append(files, added...)
		return nil
	})
	if e == nil {
		if err := old.Discard(); err != nil {
			c.g.core.Log.Error("a draft stays on disk", "err", err)
		}
	}
	return e
}

// keepAttachments makes attachments that were read out of MIME ones of their own.
func (c *call) keepAttachments(list []*attachment) ([]*attachment, *apiError) {
	var out []*attachment
	for _, a := range list {
		data, err := a.bytes()
		own := &attachment{name: a.name, contentType: a.contentType, contentID: a.contentID, inline: a.inline}
		if err == nil {
			own.id, err = newItemID("AAMkAGA")
		}
		if err == nil {
			own.content, err = c.g.core.Keep(data)
		}
		if err != nil {
			return nil, &apiError{http.StatusInternalServerError, "", err.Error()}
		}
		out = append(out, own)
	}
	return out, nil
}

func recipientOf(a mime.Address) (r jsonRecipient) {
	r.Address.Name, r.Address.Address = a.Name, a.Address.String()
	return r
}

func recipientsOf(list []string) []jsonRecipient {
	out := make([]jsonRecipient, len(list))
	for i, a := range list {
		out[i].Address.Address = a
	}
	return out
}
