package gmail

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/mime"
)

// A sentMessage is the answer to a send: Gmail tells no more (contracts C1.9, C1.10).
type sentMessage struct {
	ID       string   `json:"id"`
	ThreadID string   `json:"threadId"`
	LabelIDs []string `json:"labelIds"`
}

// accept checks the message as Gmail does and delivers it to whom its header
// names. m is used up.
func (g *Server) accept(c call, route, thread string, m *core.Message) (sentMessage, *apiError) {
	fields, _ := core.ParseFields(m.Header) // Gmail repairs broken headers, so far as they name someone
	rcpts, refusal := recipientsOf(fields, g.core.Switches().GmailIgnoresOrder)
	if refusal == nil && bytes.IndexByte(m.Header, 0) >= 0 { // contracts F18
		refusal = invalidArgument("Invalid header")
	}
	if refusal != nil {
		g.discard(m)
		return sentMessage{}, refusal
	}
	set := map[string]string{}
	from := g.RewriteFrom(m, c.mailbox, set)
	messageID := RewriteMessageID(m, set)
	id := newID()
	if thread == "" {
		thread = g.threadOf(c.mailbox, m, id)
	}
	sent := sentMessage{ID: id, ThreadID: thread, LabelIDs: []string{"SENT"}}
	d := control.Delivery{
		Service: "gmail", Route: route, Mailbox: c.mailbox, EnvelopeFrom: c.mailbox, // contracts C5.7
		From: from, Recipients: rcpts, MessageID: messageID,
	}
	for _, a := range rcpts {
		if core.Normalize(a) == c.mailbox {
			sent.LabelIDs = append(sent.LabelIDs, "INBOX")
			break
		}
	}
	if g.core.Switches().GmailDropSilently { // contracts C4: 200, and never sent
		g.discard(m)
		return sent, nil
	}
	d, err := g.core.Deliver(d, m, core.Edits{Set: set})
	if err != nil {
		g.core.Log.Error("a message could not be kept", "err", err)
		return sentMessage{}, &apiError{http.StatusInternalServerError, "backendError", ""}
	}
	g.keep(&storedMessage{
		id: id, thread: thread, mailbox: c.mailbox, messageID: messageID, labels: sent.LabelIDs, seq: d.Seq, size: d.Size, at: d.At,
	})
	g.putInInbox(d, m)
	return sent, nil
}

// acceptSent is accept, for a request that sends.
func (g *Server) acceptSent(c call, route, thread string, m *core.Message) (any, *apiError) {
	return g.accept(c, route, thread, m)
}

// putInInbox puts the message into the inbox of those of its recipients who are mailboxes of
// the directory.
func (g *Server) putInInbox(d control.Delivery, m *core.Message) {
	for _, a := range d.Recipients {
		box, standing := g.core.Lookup(a)
		if standing != core.Listed && standing != core.Alias || core.Normalize(box.Address) == d.Mailbox {
			continue
		}
		in := &storedMessage{id: newID(), mailbox: core.Normalize(box.Address), messageID: d.MessageID, labels: []string{"INBOX", "UNREAD"},
			seq: d.Seq, size: d.Size, at: d.At, received: true}
		in.thread = g.threadOf(in.mailbox, m, in.id)
		g.keep(in)
	}
}

func (m *storedMessage) key() messageKey {
	return messageKey{m.mailbox, strings.Trim(m.messageID, "<>")}
}

func (g *Server) keep(m *storedMessage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.order++
	m.order = g.order
	g.messages[m.id] = m
	g.byMsgID[m.key()] = append(g.byMsgID[m.key()], m)
	g.byMailbox[m.mailbox] = append(g.byMailbox[m.mailbox], m)
}

// remove forgets a message; g.mu is held.
func (g *Server) remove(m *storedMessage) {
	same := func(other *storedMessage) bool { return other == m }
	delete(g.messages, m.id)
	g.byMailbox[m.mailbox] = slices.DeleteFunc(g.byMailbox[m.mailbox], same)
	if g.byMsgID[m.key()] = slices.DeleteFunc(g.byMsgID[m.key()], same); len(g.byMsgID[m.key()]) == 0 {
		delete(g.byMsgID, m.key())
	}
}

// newID is 16 hex digits, as Gmail's.
func newID() string {
	id := uuid.New()
	return fmt.Sprintf("19%x", id[:7])
}

// recipientsOf are the addresses of To, Cc and Bcc. Cc and Bcc after the
// first MIME field do not count (contracts C5.4), unless anyOrder.
func recipientsOf(fields []core.Field, anyOrder bool) ([]string, *apiError) {
	var out []string
	mimeSeen := false
	for _, f := range fields {
		switch name := strings.ToLower(f.Name); name {
		case "mime-version", "content-type":
			mimeSeen = !anyOrder
		case "to", "cc", "bcc":
			if mimeSeen && name != "to" {
				continue
			}
			list, err := core.HeaderAddresses(f.Value)
			if err != nil {
				return nil, invalidArgument("Invalid " + f.Name + " header")
			}
			for _, a := range list {
				out = append(out, a.Address.String())
			}
		}
	}
	switch {
	case len(out) == 0:
		return nil, invalidArgument("Recipient address required")
	case len(out) > maxRecipients:
		return nil, invalidArgument(fmt.Sprintf("Too many recipients: %d, at most %d", len(out), maxRecipients))
	}
	return out, nil
}

// RewriteFrom returns the From that recipients see: Gmail replaces one that the mailbox
// may not use. Addresses of the mailbox's domain that begin with "alias" are verified
// send-as addresses.
func (g *Server) RewriteFrom(m *core.Message, mailbox string, set map[string]string) string {
	// contracts C5.1, C5.2
	given := m.Field("From")
	list, err := core.HeaderAddresses(given)
	if given != "" && (g.core.Switches().GmailFrom == "keep" || err == nil && len(list) > 0 && g.mayUse(list, mailbox)) {
		return given
	}
	own := mailbox
	if box, bad := mime.ParseMailbox(mailbox); err == nil && bad == nil && len(list) > 0 && list[0].Name != "" {
		own = mime.Address{Name: list[0].Name, Address: box}.String()
	}
	set["from"] = "From: " + own + "\r\n"
	if given != "" {
		set["x-google-original-from"] = "X-Google-Original-From: " + given + "\r\n"
	}
	return own
}

func (g *Server) mayUse(from []mime.Address, mailbox string) bool {
	_, domain, _ := strings.Cut(mailbox, "@")
	for _, a := range from {
		addr := core.Normalize(a.Address.String())
		if right, listed := g.core.RightOf(mailbox, addr); listed {
			if right == core.NoRight {
				return false
			}
			continue
		}
		if addr != mailbox && (!strings.HasPrefix(addr, "alias") || !strings.HasSuffix(addr, "@"+domain)) {
			return false
		}
	}
	return true
}

// wellFormedID is what contracts C5.5 keeps: one @, no spaces, a domain with a
// dot inside and not at its end.
func wellFormedID(id string) bool {
	inner, open := strings.CutPrefix(id, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	left, domain, ok := strings.Cut(inner, "@")
	if !open || !closed || !ok || left == "" || strings.ContainsAny(inner, " \t<>") || strings.Contains(domain, "@") {
		return false
	}
	labels := strings.Split(domain, ".")
	return len(labels) > 1 && !slices.Contains(labels, "")
}

// RewriteMessageID returns the id that recipients see: Gmail replaces one that is not
// well formed.
func RewriteMessageID(m *core.Message, set map[string]string) string {
	// contracts C5.5
	given := m.Field("Message-ID")
	if wellFormedID(given) {
		return given
	}
	own := "<CA+" + strings.ReplaceAll(uuid.NewString(), "-", "") + "@mx.google.com>"
	if given == "" {
		own = strings.Replace(own, "mx.google.com", "mail.gmail.com", 1)
	} else {
		set["x-google-original-message-id"] = "X-Google-Original-Message-ID: " + given + "\r\n"
	}
	set["message-id"] = "Message-ID: " + own + "\r\n"
	return own
}
