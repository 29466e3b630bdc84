package graph

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/mime"
)

// sendMail takes a whole message and delivers it (contracts B1).
func (g *Server) sendMail(c *call) {
	it, err := newItem(g.now())
	if err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	save := true
	route := "mime"
	var e *apiError
	if c.body.mime != nil {
		e = it.setMIME(c)
	} else {
		route = "json"
		save, e = it.setSendMailJSON(c)
	}
	if e == nil {
		e = c.deliver(it, route)
	}
	if e != nil {
		it.take().remove(g.core.Log, nil)
		c.failErr(e)
		return
	}
	if save {
		g.boxes.add(c.mailbox, it)
	}
	c.accepted(func() { c.w.WriteHeader(http.StatusAccepted) }) // B1.1: empty
}

// setSendMailJSON reads {"message":{...},"saveToSentItems":...} (B1.2, B1.4a).
func (it *item) setSendMailJSON(c *call) (save bool, e *apiError) {
	var doc struct {
		Message json.RawMessage `json:"message"`
		Save    any             `json:"saveToSentItems"`
	}
	if err := core.DecodeStrict(c.body.json, &doc); err != nil {
		return false, badRequest(err.Error())
	}
	if len(doc.Message) == 0 || string(doc.Message) == "null" {
		return false, badRequest("The parameter 'message' must not be null.")
	}
	switch v := doc.Save.(type) {
	case nil:
		save = true
	case bool:
		save = v
	case string:
		save = !strings.EqualFold(v, "false")
	default:
		return false, badRequest("The parameter 'saveToSentItems' must be a Boolean.")
	}
	return save, it.setJSON(c, doc.Message)
}

// setMIME makes the item a draft of the request's MIME body.
func (it *item) setMIME(c *call) *apiError {
	m := c.takeMIME()
	if err := m.Persist(); err != nil {
		return &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	it.mime = m
	if !m.WellFormed || len(m.Fields) == 0 || bytes.IndexByte(m.Header, 0) >= 0 { // F18
		return &apiError{http.StatusBadRequest, "ErrorMimeContentInvalid", "The MIME content is invalid."}
	}
	it.summary = summary{
		subject: core.DecodeWords(m.Field("Subject")), from: m.Field("From"),
		to: displayed(m.FieldsNamed("To")), cc: displayed(m.FieldsNamed("Cc")), bcc: displayed(m.FieldsNamed("Bcc")),
		attachments: strings.HasPrefix(strings.ToLower(m.Field("Content-Type")), "multipart/mixed"),
	}
	if v := strings.ToLower(m.Field("Importance")); v == "high" || v == "low" {
		it.importance = v
	}
	it.messageID = m.Field("Message-ID")
	if it.messageID == "" || !c.sw.GraphKeepMessageID { // B6.6
		it.messageID = newMessageID()
	}
	it.sentDate = it.created
	if d, ok := mime.ParseDate(m.Field("Date")); ok { // B6.7
		it.sentDate = d
	}
	return nil
}

// exchangeHost is in the Message-IDs that the fake makes.
const exchangeHost = "DB9PR01MB0001.eurprd01.prod.exchangelabs.com"

func newMessageID() string { return "<" + uuid.NewString() + "@" + exchangeHost + ">" }

func displayed(values []string) (out []string) {
	for _, v := range values {
		list, err := core.HeaderAddresses(v)
		if err != nil {
			continue // sending will refuse it; a draft may hold it
		}
		for _, a := range list {
			out = append(out, a.Address.String())
		}
	}
	return out
}

// deliver checks sender and recipients and records the delivery of the item.
// The item is submitted afterwards. The caller makes sure that no one else
// uses it.
func (c *call) deliver(it *item, route string) *apiError {
	recipients, e := it.recipients()
	if e != nil {
		return e
	}
	changed := core.Edits{Drop: []string{"auto-submitted", "return-path"}, Set: map[string]string{}} // B6.4
	from, e := c.senderPolicy(it, changed)
	if e != nil {
		return e
	}
	m, e := c.finalMessage(it)
	if e != nil {
		return e
	}
	if m.Field("Message-ID") != it.messageID {
		changed.Set["message-id"] = "Message-ID: " + it.messageID + "\r\n"
	}
	d := control.Delivery{
		Service: "graph", Route: route, Mailbox: c.mailbox, EnvelopeFrom: c.mailbox, // B4.7
		From: from, Recipients: recipients, MessageID: it.messageID,
	}
	d, err := c.g.core.Deliver(d, m, changed)
	if err != nil {
		return &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	now := c.g.now()
	c.g.boxes.mu.Lock()
	it.submitted, it.modified, it.settles, it.seq = true, now, now.Add(c.sw.GraphSettle), d.Seq
	rest := it.take()
	c.g.boxes.mu.Unlock()
	rest.remove(c.g.core.Log, m)
	c.g.receive(d, it)
	return nil
}

// receive puts the message into the Inbox of those of its recipients who are mailboxes of
// the directory.
func (g *Server) receive(d control.Delivery, sent *item) {
	for _, a := range d.Recipients {
		m, standing := g.core.Lookup(a)
		if standing != core.Listed && standing != core.Alias {
			continue
		}
		it, err := newItem(g.now())
		if err != nil {
			g.core.Log.Error("a message could not be received", "err", err)
			return
		}
		it.where, it.received, it.unread, it.submitted, it.seq = inbox, true, true, true, d.Seq
		it.messageID, it.sentDate, it.summary, it.importance = sent.messageID, sent.sentDate, sent.summary, sent.importance
		it.summary.bcc, it.thread = nil, sent.conversation()
		g.boxes.add(core.Normalize(m.Address), it)
	}
}

// recipients are those of To, Cc and Bcc: there is no envelope (B5.1). One
// address that cannot be used refuses the message (B5.4).
func (it *item) recipients() ([]string, *apiError) {
	unusable := func(v string) *apiError {
		return &apiError{http.StatusBadRequest, "ErrorInvalidRecipients", "At least one recipient is not valid., Recipient '" + v +
			"' is not resolved. All recipients must be resolved before a message can be submitted."}
	}
	var list []string
	if it.mime != nil {
		var bad string
		if list, bad = it.mime.Recipients(); bad != "" {
			return nil, unusable(bad)
		}
	} else {
		list = it.message.recipients()
	}
	for _, a := range list {
		if !usable(a) {
			return nil, unusable(a)
		}
	}
	if len(list) == 0 { // B5.3
		return nil, &apiError{http.StatusBadRequest, "ErrorInvalidRecipients",
			"At least one recipient is not valid., A message can't be sent because it contains no recipients."}
	}
	return list, nil
}

// usable reports whether Exchange can route to the address: the syntax alone.
func usable(addr string) bool {
	if a, err := mime.ParseAddress(addr); err != nil || a.Name != "" {
		return false
	}
	at := strings.LastIndexByte(addr, '@')
	domain := addr[at+1:]
	return at > 0 && domain != "" && !strings.HasPrefix(domain, "[") && !strings.Contains(domain, "..")
}

// senderPolicy compares the header From with the mailbox (B4.2, B4.5).
func (c *call) senderPolicy(it *item, changed core.Edits) (from string, e *apiError) {
	from = it.summary.from
	own := false
	if a, err := mime.ParseAddress(from); err == nil && !core.BarePhrase(from) {
		own = core.Normalize(a.Address.String()) == c.mailbox
	}
	if a, err := mime.ParseAddress(from); err == nil && !own && !core.BarePhrase(from) {
		right, listed := c.g.core.RightOf(c.mailbox, a.Address.String())
		switch {
		case right == core.SendOnBehalf: // B4.2
			changed.Set["sender"] = "Sender: <" + c.mailbox + ">\r\n"
			own = true
		case right != core.NoRight:
			own = true
		case listed && c.sw.GraphFrom != "overwrite":
			return "", sendAsDenied()
		}
	}
	switch {
	case own:
		return from, nil
	case from == "":
	case c.sw.GraphFrom == "deny":
		return "", sendAsDenied()
	case c.sw.GraphFrom != "overwrite" || it.mime == nil: // in JSON, from is a request that Send As decides
		return from, nil
	}
	changed.Set["from"] = "From: <" + c.mailbox + ">\r\n"
	return "<" + c.mailbox + ">", nil
}

func sendAsDenied() *apiError { // B4.3
	return &apiError{http.StatusForbidden, "ErrorSendAsDenied",
		"The user account which was used to submit this request does not have the right to send mail " +
			"on behalf of the specified sending account."}
}
