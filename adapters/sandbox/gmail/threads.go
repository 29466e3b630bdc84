package gmail

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// threadOf is the thread that a message belongs to by In-Reply-To and References; own
// where it begins one.
func (g *Server) threadOf(mailbox string, m *core.Message, own string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range strings.Fields(m.Field("In-Reply-To") + " " + m.Field("References")) {
		if list := g.byMsgID[messageKey{mailbox, strings.Trim(id, "<>")}]; len(list) > 0 {
			return list[0].thread
		}
	}
	return own
}

// A thread in a list.
type threadRef struct {
	ID      string `json:"id"`
	Snippet string `json:"snippet"`
	History string `json:"historyId"`
}

func (g *Server) listThreads(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	found, refusal := g.found(c, g.all(c.mailbox))
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	seen := map[string]bool{}
	found = slices.DeleteFunc(found, func(m *storedMessage) bool {
		twice := seen[m.thread]
		seen[m.thread] = true
		return twice
	})
	page, next, refusal := pageOf(c, found)
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	list := []threadRef{}
	for _, m := range page {
		ref := threadRef{ID: m.thread, History: strconv.Itoa(m.seq)}
		if v, err := g.look(m); err == nil {
			ref.Snippet = v.snippet()
		}
		list = append(list, ref)
	}
	if !after() {
		answerList(c, "threads", list, next, len(found))
	}
}

func (g *Server) getThread(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	list := slices.DeleteFunc(g.all(c.mailbox), func(m *storedMessage) bool { return m.thread != c.r.PathValue("thread") })
	if len(list) == 0 {
		g.refuse(c, notFound())
		return
	}
	slices.Reverse(list) // as they were written
	q := c.r.URL.Query()
	docs := []map[string]any{}
	for _, m := range list {
		doc, refusal := g.message(m, q.Get("format"), q["metadataHeaders"])
		if refusal != nil {
			g.refuse(c, refusal)
			return
		}
		docs = append(docs, doc)
	}
	if !after() {
		core.WriteJSON(c.w, http.StatusOK, map[string]any{
			"id": list[0].thread, "historyId": strconv.Itoa(list[len(list)-1].seq), "messages": docs,
		})
	}
}
