package gmail

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A draftRef is a draft in an answer.
type draftRef struct {
	ID      string `json:"id"`
	Message any    `json:"message"`
}

// draftID is the id of the draft of the message with the id.
func draftID(message string) string { return "r-" + message }

// saveDraft keeps a message as a draft: a new one, or in place of the one of the path. A
// draft may have no recipient yet.
func (g *Server) saveDraft(c call, _, thread string, m *core.Message) (any, *apiError) {
	if err := m.Persist(); err != nil {
		g.core.Log.Error("a draft could not be kept", "err", err)
		return nil, &apiError{http.StatusInternalServerError, "backendError", ""}
	}
	next := &storedMessage{id: newID(), mailbox: c.mailbox, labels: []string{"DRAFT"}, size: m.Size, at: g.core.Now(), draft: m,
		messageID: m.Field("Message-ID")}
	next.draftID = draftID(next.id)
	if next.thread = thread; thread == "" {
		next.thread = g.threadOf(c.mailbox, m, next.id)
	}
	if id := c.r.PathValue("draft"); id != "" {
		old := g.takeDraft(c, id)
		if old == nil {
			g.discard(m)
			return nil, notFound()
		}
		g.discard(old.draft)
		next.draftID = id // the draft stays, its message is another one
		if thread == "" {
			next.thread = old.thread
		}
	}
	g.keep(next)
	return draftRef{next.draftID, sentMessage{next.id, next.thread, next.labels}}, nil
}

// takeDraft removes a draft from the mailbox; nil when there is none.
func (g *Server) takeDraft(c call, id string) *storedMessage {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.messages {
		if m.mailbox == c.mailbox && m.draft != nil && m.draftID == id {
			g.remove(m)
			return m
		}
	}
	return nil
}

func (g *Server) discardDraft(m *storedMessage) {
	if m != nil {
		g.discard(m.draft)
	}
}

// drafts are those of the mailbox, newest first.
func (g *Server) drafts(mailbox string) []*storedMessage {
	return slices.DeleteFunc(g.all(mailbox), func(m *storedMessage) bool { return m.draft == nil })
}

func (g *Server) listDrafts(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	found, refusal := g.found(c, g.drafts(c.mailbox))
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	page, next, refusal := pageOf(c, found)
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	list := []draftRef{}
	for _, m := range page {
		list = append(list, draftRef{m.draftID, messageRef{m.id, m.thread}})
	}
	if !after() {
		answerList(c, "drafts", list, next, len(found))
	}
}

func (g *Server) getDraft(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	list := g.drafts(c.mailbox)
	i := slices.IndexFunc(list, func(m *storedMessage) bool { return m.draftID == c.r.PathValue("draft") })
	if i < 0 {
		g.refuse(c, notFound())
		return
	}
	doc, refusal := g.message(list[i], c.r.URL.Query().Get("format"), nil)
	switch {
	case refusal != nil:
		g.refuse(c, refusal)
	case !after():
		core.WriteJSON(c.w, http.StatusOK, draftRef{list[i].draftID, doc})
	}
}

func (g *Server) deleteDraft(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	old := g.takeDraft(c, c.r.PathValue("draft"))
	if old == nil {
		g.refuse(c, notFound())
		return
	}
	g.discard(old.draft)
	if !after() {
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// sendDraft answers drafts.send with {"id": ...}: the draft leaves and is gone. With a
// message of its own in the request, that one leaves in its place.
func (g *Server) sendDraft(c call) {
	var in metadata
	if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxJSON)).Decode(&in); err != nil {
		g.refuse(c, &apiError{http.StatusBadRequest, "parseError", "Parse Error"})
		return
	}
	if in.raw() != "" {
		g.sendMetadata(c, in)
		return
	}
	after, answered := g.fault(c)
	if answered {
		return
	}
	sent, refusal := g.deliverDraft(c, in.ID)
	switch {
	case refusal != nil:
		g.refuse(c, refusal)
	case !after():
		core.WriteJSON(c.w, http.StatusOK, sent)
	}
}

func (g *Server) deliverDraft(c call, id string) (any, *apiError) {
	m := g.takeDraft(c, id)
	if m == nil {
		return nil, notFound()
	}
	rc, err := m.draft.Open()
	if err != nil {
		g.core.Log.Error("a draft cannot be read", "err", err)
		return nil, &apiError{http.StatusInternalServerError, "backendError", ""}
	}
	defer rc.Close()
	msg, err := g.core.Receive(rc)
	if err != nil {
		g.core.Log.Error("a draft cannot be read", "err", err)
		return nil, &apiError{http.StatusInternalServerError, "backendError", ""}
	}
	sent, refusal := g.accept(c, "draft", m.thread, msg)
	if refusal != nil {
		g.keep(m) // it stays a draft
		return nil, refusal
	}
	g.discard(m.draft)
	return sent, nil
}
