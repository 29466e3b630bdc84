package gmail

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A messageRef is a message in a list.
type messageRef struct {
	ID       string `json:"id"`
	ThreadID string `json:"threadId"`
}

// search answers messages.list: everything but Trash and Spam, narrowed by q and labels.
func (g *Server) search(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	found, refusal := g.found(c, g.candidates(c))
	var page []*storedMessage
	var next string
	if refusal == nil {
		page, next, refusal = pageOf(c, found)
	}
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	if after() {
		return
	}
	list := []messageRef{}
	for _, m := range page {
		list = append(list, messageRef{m.id, m.thread})
	}
	answerList(c, "messages", list, next, len(found))
}

// answerList answers with one page of what was found; what is empty is absent.
func answerList[T any](c call, name string, page []T, next string, found int) {
	out := map[string]any{"resultSizeEstimate": found}
	if len(page) > 0 {
		out[name] = page
	}
	if next != "" {
		out["nextPageToken"] = next
	}
	core.WriteJSON(c.w, http.StatusOK, out)
}

// candidates are the messages that a search has to look at: an index knows the one of an id.
func (g *Server) candidates(c call) []*storedMessage {
	id := parseSearch(c.r.URL.Query().Get("q"), g.core.Now()).messageID()
	if id == "" {
		return g.all(c.mailbox)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*storedMessage
	for _, m := range slices.Backward(g.byMsgID[messageKey{c.mailbox, id}]) {
		held := *m
		out = append(out, &held)
	}
	return out
}

// all are copies of the messages of a mailbox, newest first.
func (g *Server) all(mailbox string) []*storedMessage {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.sorted(mailbox)
	for i, m := range list {
		held := *m
		list[i] = &held
	}
	return list
}

// sorted are the messages of a mailbox, newest first; g.mu is held.
func (g *Server) sorted(mailbox string) []*storedMessage {
	list := slices.Clone(g.byMailbox[mailbox])
	slices.SortStableFunc(list, func(a, b *storedMessage) int { return b.order - a.order })
	return list
}

// found narrows messages by q, labelIds and includeSpamTrash.
func (g *Server) found(c call, list []*storedMessage) ([]*storedMessage, *apiError) {
	q := c.r.URL.Query()
	s := parseSearch(q.Get("q"), g.core.Now())
	labels := q["labelIds"]
	hidden := []string{"TRASH", "SPAM"}
	if q.Get("includeSpamTrash") == "true" || s.names("trash", "spam", "anywhere") || slices.ContainsFunc(labels, func(l string) bool {
		return slices.Contains(hidden, l)
	}) {
		hidden = nil
	}
	id, deep := s.messageID(), s.needsContent()
	var out []*storedMessage
	for _, m := range list {
		if id != "" && strings.Trim(m.messageID, "<>") != id ||
			slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(m.labels, l) }) ||
			slices.ContainsFunc(hidden, func(l string) bool { return slices.Contains(m.labels, l) }) {
			continue
		}
		var v *view
		if deep {
			var err error
			if v, err = g.look(m); err != nil {
				g.core.Log.Error("a message cannot be read", "err", err)
				return nil, &apiError{http.StatusInternalServerError, "backendError", ""}
			}
		}
		if s.match(m, v) {
			out = append(out, m)
		}
	}
	return out, nil
}

// pageOf cuts the page that the request asks for.
func pageOf(c call, list []*storedMessage) (page []*storedMessage, next string, refusal *apiError) {
	q := c.r.URL.Query()
	limit, from := 100, 0
	if v := q.Get("maxResults"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 500 {
			return nil, "", invalidArgument("Invalid maxResults")
		}
		limit = n
	}
	if v := q.Get("pageToken"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return nil, "", invalidArgument("Invalid pageToken")
		}
		from = min(n, len(list))
	}
	to := min(from+limit, len(list))
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return list[from:to], next, nil
}

// profile answers users.getProfile.
func (g *Server) profile(c call) {
	after, answered := g.fault(c)
	if answered || after() {
		return
	}
	g.mu.Lock()
	n := len(g.byMailbox[c.mailbox])
	threads := map[string]bool{}
	for _, m := range g.byMailbox[c.mailbox] {
		threads[m.thread] = true
	}
	g.mu.Unlock()
	core.WriteJSON(c.w, http.StatusOK, map[string]any{
		"emailAddress": c.mailbox, "messagesTotal": n, "threadsTotal": len(threads), "historyId": strconv.Itoa(n),
	})
}

// sendAs answers users.settings.sendAs.list (contracts C5.1): the account itself and what
// the directory lists; without one, a verified alias and one that waits for its verification.
func (g *Server) sendAs(c call) {
	after, answered := g.fault(c)
	if answered || after() {
		return
	}
	list := []map[string]any{{"sendAsEmail": c.mailbox, "isPrimary": true, "isDefault": true}}
	if m, standing := g.core.Lookup(c.mailbox); standing == core.Listed {
		list[0]["displayName"] = m.Name
		for _, a := range slices.Concat(m.Aliases, m.SendAs) {
			list = append(list, map[string]any{"sendAsEmail": core.Normalize(a), "verificationStatus": "accepted"})
		}
	} else {
		_, domain, _ := strings.Cut(c.mailbox, "@")
		list = append(list, map[string]any{"sendAsEmail": "alias@" + domain, "verificationStatus": "accepted"},
			map[string]any{"sendAsEmail": "pending@" + domain, "verificationStatus": "pending"})
	}
	core.WriteJSON(c.w, http.StatusOK, map[string]any{"sendAs": list})
}
