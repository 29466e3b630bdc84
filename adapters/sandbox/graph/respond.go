package graph

import (
	"html"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A response is what reply, replyAll and forward take: a comment, or parts of a message.
type response struct {
	Comment *string         `json:"comment"`
	To      []jsonRecipient `json:"toRecipients"` // of a forward
	Message *jsonMessage    `json:"message"`
}

// How a message is answered.
const (
	reply    = "reply"
	replyAll = "replyAll"
	forward  = "forward"
)

// respond answers or forwards a message: sent at once, or left as a draft.
func (g *Server) respond(kind string, draft bool) func(c *call) {
	return func(c *call) {
		it, e := c.response(kind)
		if e == nil && !draft {
			e = c.deliver(it, "json")
		}
		if e != nil {
			if it != nil {
				it.take().remove(g.core.Log, nil)
			}
			c.failErr(e)
			return
		}
		g.boxes.add(c.mailbox, it)
		if !draft {
			c.accepted(func() { c.w.WriteHeader(http.StatusAccepted) })
			return
		}
		doc, e := c.document(it, query{})
		if e != nil {
			c.failErr(e)
			return
		}
		c.accepted(func() { c.writeItem(http.StatusCreated, doc) })
	}
}

// response makes the answering draft of the message of the path.
func (c *call) response(kind string) (*item, *apiError) {
	in := new(response)
	if len(c.body.json) > 0 {
		if err := core.DecodeStrict(c.body.json, in); err != nil {
			return nil, badRequest("The request cannot be read: " + err.Error())
		}
	}
	switch {
	case in.Comment != nil && in.Message != nil && in.Message.Body.Content != "":
		return nil, &apiError{http.StatusBadRequest, "ErrorInvalidRequest", "Specify either a comment or the body of the message, not both."}
	case in.Message != nil && !bodyType(in.Message.Body.Type):
		return nil, badBodyType(in.Message.Body.Type)
	case kind != forward && len(in.To) > 0:
		return nil, badRequest("The parameter 'toRecipients' belongs to forward.")
	}
	var original item
	if e := c.g.boxes.with(c.mailbox, c.r.PathValue("id"), c.g.now(), func(found *item) *apiError {
		original = *found
		return nil
	}); e != nil {
		return nil, e
	}
	v, e := c.read(&original)
	if e != nil {
		return nil, e
	}
	it, err := newItem(c.g.now())
	if err != nil {
		return nil, &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	m := new(jsonMessage)
	if in.Message != nil {
		*m = *in.Message
	}
	files := m.Attachments
	m.Attachments = nil
	c.address(m, in, &original, v, kind)
	quote(m, in, &original, v)
	m.Properties = append(m.Properties, jsonProperty{"String 0x1042", original.messageID}, jsonProperty{"String 0x1039", original.messageID})
	it.message = m
	if it.messageID = m.MessageID; it.messageID == "" {
		it.messageID = newMessageID()
	}
	it.sentDate, it.thread = it.created, original.conversation()
	for _, raw := range files {
		a, e := c.newAttachment(raw)
		if e != nil {
			return it, e
		}
		it.attachments = append(it.attachments, a)
	}
	if kind == forward {
		own, e := c.keepAttachments(v.attachments)
		if e != nil {
			return it, e
		}
		it.attachments = append(it.attachments, own...)
	}
	it.summarize(c.mailbox)
	return it, nil
}

// address fills recipients and subject where the client left them to the service.
func (c *call) address(m *jsonMessage, in *response, original *item, v *view, kind string) {
	prefix := "RE: "
	if kind == forward {
		prefix = "FW: "
		m.To = append(m.To, in.To...)
	} else {
		if len(m.To) == 0 {
			m.To = v.replyTo
		}
		if len(m.To) == 0 {
			m.To = []jsonRecipient{original.sender()}
		}
		if own := core.Normalize(m.To[0].Address.Address) == c.mailbox; own && original.isSent() { // of a message sent: its recipients again
			m.To = recipientsOf(original.summary.to)
		}
	}
	if kind == replyAll {
		for _, a := range slices.Concat(original.summary.to, original.summary.cc) {
			known := slices.ContainsFunc(slices.Concat(m.To, m.Cc), func(r jsonRecipient) bool {
				return core.Normalize(r.Address.Address) == core.Normalize(a)
			})
			if !known && core.Normalize(a) != c.mailbox {
				m.Cc = append(m.Cc, recipientsOf([]string{a})...)
			}
		}
	}
	if m.Subject == "" {
		m.Subject = original.summary.subject
		if !strings.HasPrefix(strings.ToUpper(m.Subject), prefix) {
			m.Subject = prefix + m.Subject
		}
	}
}

// quote puts the original under the comment.
func quote(m *jsonMessage, in *response, original *item, v *view) {
	if m.Body.Content != "" {
		return
	}
	comment := ""
	if in.Comment != nil {
		comment = *in.Comment
	}
	old := v.html
	if old == "" {
		old = "<pre>" + html.EscapeString(v.text) + "</pre>"
	}
	m.Body = jsonBody{"html", html.EscapeString(comment) + "<hr><b>From:</b> " + html.EscapeString(original.summary.from) +
		"<br><b>Sent:</b> " + formatTime(original.sentDate) + "<br><b>To:</b> " + html.EscapeString(strings.Join(original.summary.to, "; ")) +
		"<br><b>Subject:</b> " + html.EscapeString(original.summary.subject) + "<br><br>" + old}
}
