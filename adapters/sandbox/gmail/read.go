package gmail

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// search answers messages.list with q=rfc822msgid:<id>, the one question that
// the sandbox knows; no q lists the whole mailbox.
func (g *Server) search(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	found, refusal := g.find(c)
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	if after() {
		return
	}
	type ref struct {
		ID       string `json:"id"`
		ThreadID string `json:"threadId"`
	}
	out := struct {
		Messages []ref `json:"messages,omitempty"` // absent when there is none
		Estimate int   `json:"resultSizeEstimate"`
	}{Estimate: len(found)}
	for _, m := range found {
		out.Messages = append(out.Messages, ref{m.id, m.thread})
	}
	core.WriteJSON(c.w, http.StatusOK, out)
}

func (g *Server) find(c call) (found []*storedMessage, refusal *apiError) {
	q := c.r.URL.Query()
	query, limit := strings.TrimSpace(q.Get("q")), 100
	if v := q.Get("maxResults"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 500 {
			return nil, invalidArgument("Invalid maxResults")
		}
		limit = n
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if query == "" {
		for _, m := range g.messages {
			if m.mailbox == c.mailbox {
				found = append(found, m)
			}
		}
		slices.SortFunc(found, func(a, b *storedMessage) int { return b.seq - a.seq })
	} else {
		id, ok := strings.CutPrefix(query, "rfc822msgid:")
		if !ok || id == "" || strings.ContainsAny(id, " \t") {
			return nil, invalidArgument("the sandbox searches for rfc822msgid:<id> only")
		}
		found = slices.Clone(g.byMsgID[messageKey{c.mailbox, strings.Trim(id, "<>")}])
		slices.Reverse(found) // newest first
	}
	label := q["labelIds"]
	found = slices.DeleteFunc(found, func(m *storedMessage) bool {
		return slices.ContainsFunc(label, func(l string) bool { return !slices.Contains(m.labels, l) })
	})
	return found[:min(limit, len(found))], nil
}

// get answers messages.get with format=minimal, metadata, or raw's absence:
// bodies are not given out again.
func (g *Server) get(c call) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	g.mu.Lock()
	m := g.messages[c.r.PathValue("id")]
	g.mu.Unlock()
	if m == nil || m.mailbox != c.mailbox {
		g.refuse(c, &apiError{http.StatusNotFound, "notFound", ""})
		return
	}
	out := map[string]any{
		"id": m.id, "threadId": m.thread, "labelIds": m.labels, "sizeEstimate": m.size,
		"internalDate": strconv.FormatInt(m.at.UnixMilli(), 10), "historyId": strconv.Itoa(m.seq),
	}
	q := c.r.URL.Query()
	switch q.Get("format") {
	case "minimal":
	case "metadata":
		headers, err := g.headers(m, q["metadataHeaders"])
		if err != nil {
			g.refuse(c, &apiError{http.StatusInternalServerError, "backendError", ""})
			return
		}
		out["payload"] = map[string]any{"headers": headers}
	default:
		g.refuse(c, invalidArgument("the sandbox knows format=minimal and format=metadata"))
		return
	}
	if !after() {
		core.WriteJSON(c.w, http.StatusOK, out)
	}
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// headers are those of the sender's own copy: with Bcc (contracts C5.3) and
// with what Gmail changed.
func (g *Server) headers(m *storedMessage, only []string) ([]header, error) {
	rc, err := g.core.Open(m.seq)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	head, err := io.ReadAll(io.LimitReader(rc, core.MaxHeader))
	if err != nil {
		return nil, err
	}
	fields, _ := core.ParseFields(head)
	out := []header{}
	add := func(f core.Field) {
		if len(only) == 0 || slices.ContainsFunc(only, func(n string) bool { return strings.EqualFold(n, f.Name) }) {
			out = append(out, header{f.Name, core.DecodeWords(f.Value)})
		}
	}
	for _, line := range m.set {
		changed, _ := core.ParseFields([]byte(line))
		for _, f := range changed {
			add(f)
		}
	}
	slices.SortFunc(out, func(a, b header) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range fields {
		if _, ok := m.set[strings.ToLower(f.Name)]; !ok {
			add(f)
		}
	}
	return out, nil
}

// profile answers users.getProfile.
func (g *Server) profile(c call) {
	after, answered := g.fault(c)
	if answered || after() {
		return
	}
	g.mu.Lock()
	n := 0
	for _, m := range g.messages {
		if m.mailbox == c.mailbox {
			n++
		}
	}
	g.mu.Unlock()
	core.WriteJSON(c.w, http.StatusOK, map[string]any{
		"emailAddress": c.mailbox, "messagesTotal": n, "threadsTotal": n, "historyId": strconv.Itoa(n),
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
