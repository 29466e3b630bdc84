package gmail

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A label is one that a user made; Gmail's own are systemLabels.
type label struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Messages   string `json:"messageListVisibility,omitempty"`
	Visibility string `json:"labelListVisibility,omitempty"`
}

func systemLabels() []label {
	var out []label
	for _, id := range []string{"INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "UNREAD", "STARRED", "IMPORTANT", "CHAT", "CATEGORY_PERSONAL",
		"CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS"} {
		out = append(out, label{ID: id, Name: id, Type: "system"})
	}
	return out
}

// labelsOf are the labels of a mailbox; g.mu is held.
func (g *Server) labelsOf(mailbox string) []label {
	return append(systemLabels(), g.labels[mailbox]...)
}

func (g *Server) listLabels(c call) {
	after, answered := g.fault(c)
	if answered || after() {
		return
	}
	g.mu.Lock()
	list := g.labelsOf(c.mailbox)
	g.mu.Unlock()
	core.WriteJSON(c.w, http.StatusOK, map[string]any{"labels": list})
}

// changeLabels answers with what do makes of the label of the path, under the lock.
func (g *Server) changeLabels(c call, do func(list []label, i int) (any, *apiError)) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	g.mu.Lock()
	list := g.labelsOf(c.mailbox)
	i := slices.IndexFunc(list, func(l label) bool { return l.ID == c.r.PathValue("label") })
	var out any
	refusal := notFound()
	if i >= 0 || c.r.PathValue("label") == "" {
		out, refusal = do(list, i)
	}
	g.mu.Unlock()
	switch {
	case refusal != nil:
		g.refuse(c, refusal)
	case after():
	case out == nil:
		c.w.WriteHeader(http.StatusNoContent)
	default:
		core.WriteJSON(c.w, http.StatusOK, out)
	}
}

func (g *Server) getLabel(c call) {
	g.changeLabels(c, func(list []label, i int) (any, *apiError) {
		total, unread := 0, 0
		for _, m := range g.messages {
			if m.mailbox == c.mailbox && slices.Contains(m.labels, list[i].ID) {
				total++
				if slices.Contains(m.labels, "UNREAD") {
					unread++
				}
			}
		}
		return map[string]any{"id": list[i].ID, "name": list[i].Name, "type": list[i].Type, "messagesTotal": total, "messagesUnread": unread,
			"threadsTotal": total, "threadsUnread": unread}, nil
	})
}

// readLabel reads a label of the request; name is required unless old has one.
func (g *Server) readLabel(c call, old label) (label, *apiError) {
	if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, 64<<10)).Decode(&old); err != nil {
		return old, &apiError{http.StatusBadRequest, "parseError", "Parse Error"}
	}
	if strings.TrimSpace(old.Name) == "" {
		return old, invalidArgument("Invalid label name")
	}
	return old, nil
}

func (g *Server) createLabel(c call) {
	next, refusal := g.readLabel(c, label{})
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	g.changeLabels(c, func(list []label, _ int) (any, *apiError) {
		if slices.ContainsFunc(list, func(l label) bool { return strings.EqualFold(l.Name, next.Name) }) {
			return nil, &apiError{http.StatusConflict, "aborted", "Label name exists or conflicts"}
		}
		next.ID, next.Type = "Label_"+newID(), "user"
		g.labels[c.mailbox] = append(g.labels[c.mailbox], next)
		return next, nil
	})
}

func (g *Server) updateLabel(c call) {
	next, refusal := g.readLabel(c, label{Name: " "})
	if refusal != nil && next.Name != " " {
		g.refuse(c, refusal)
		return
	}
	g.changeLabels(c, func(list []label, i int) (any, *apiError) {
		own := g.labels[c.mailbox]
		i -= len(list) - len(own)
		if i < 0 {
			return nil, invalidArgument("Invalid update request")
		}
		if next.Name != " " {
			own[i].Name = next.Name
		}
		return own[i], nil
	})
}

func (g *Server) deleteLabel(c call) {
	g.changeLabels(c, func(list []label, i int) (any, *apiError) {
		own := g.labels[c.mailbox]
		if i -= len(list) - len(own); i < 0 {
			return nil, invalidArgument("Invalid delete request")
		}
		id := own[i].ID
		g.labels[c.mailbox] = slices.Delete(slices.Clone(own), i, i+1)
		for _, m := range g.messages {
			if m.mailbox == c.mailbox {
				g.relabel(m, nil, []string{id})
			}
		}
		return nil, nil
	})
}

// relabel changes the labels of a message; g.mu is held.
func (g *Server) relabel(m *storedMessage, add, remove []string) {
	labels := slices.DeleteFunc(slices.Clone(m.labels), func(l string) bool { return slices.Contains(remove, l) })
	for _, l := range add {
		if !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
	}
	m.labels, m.labelNames = labels, nil
	for _, l := range g.labels[m.mailbox] {
		if slices.Contains(labels, l.ID) {
			m.labelNames = append(m.labelNames, l.Name)
		}
	}
}

// modification is what messages.modify and its kin take.
type modification struct {
	IDs    []string `json:"ids"`
	Add    []string `json:"addLabelIds"`
	Remove []string `json:"removeLabelIds"`
}

// modify changes the labels of messages that pick names: fixed ones, or those of the request.
func (g *Server) modify(pick func(c call, ids []string) []*storedMessage, fixed *modification) func(call) {
	return func(c call) {
		var in modification
		if fixed != nil {
			in = *fixed
		} else if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, 1<<20)).Decode(&in); err != nil {
			g.refuse(c, &apiError{http.StatusBadRequest, "parseError", "Parse Error"})
			return
		}
		after, answered := g.fault(c)
		if answered {
			return
		}
		g.mu.Lock()
		known := g.labelsOf(c.mailbox)
		bad := slices.IndexFunc(slices.Concat(in.Add, in.Remove), func(id string) bool {
			return id == "SENT" || id == "DRAFT" || !slices.ContainsFunc(known, func(l label) bool { return l.ID == id })
		})
		list := pick(c, in.IDs)
		var first storedMessage
		if bad < 0 {
			for _, m := range list {
				g.relabel(m, in.Add, in.Remove)
			}
		}
		if len(list) > 0 {
			first = *list[0]
		}
		g.mu.Unlock()
		switch {
		case bad >= 0:
			g.refuse(c, invalidArgument("Invalid label: "+slices.Concat(in.Add, in.Remove)[bad]))
		case len(list) == 0:
			g.refuse(c, notFound())
		case after():
		case in.IDs != nil:
			c.w.WriteHeader(http.StatusNoContent)
		default:
			id := first.id
			if c.r.PathValue("thread") != "" {
				id = first.thread
			}
			core.WriteJSON(c.w, http.StatusOK, sentMessage{id, first.thread, first.labels})
		}
	}
}

// onePicked is the message of the path, ofThread its thread, ofIDs those of the request;
// g.mu is held.
func (g *Server) onePicked(c call, _ []string) []*storedMessage {
	return g.ofIDs(c, []string{c.r.PathValue("id")})
}

func (g *Server) ofThread(c call, _ []string) []*storedMessage {
	return slices.DeleteFunc(g.sorted(c.mailbox), func(m *storedMessage) bool { return m.thread != c.r.PathValue("thread") })
}

func (g *Server) ofIDs(c call, ids []string) (out []*storedMessage) {
	for _, id := range ids {
		if m := g.messages[id]; m != nil && m.mailbox == c.mailbox {
			out = append(out, m)
		}
	}
	return out
}

// deleteMessages removes for good.
func (g *Server) deleteMessages(pick func(c call, ids []string) []*storedMessage, batch bool) func(call) {
	return func(c call) {
		var in modification
		if batch {
			if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, 1<<20)).Decode(&in); err != nil {
				g.refuse(c, &apiError{http.StatusBadRequest, "parseError", "Parse Error"})
				return
			}
		}
		after, answered := g.fault(c)
		if answered {
			return
		}
		g.mu.Lock()
		list := pick(c, in.IDs)
		for _, m := range list {
			g.remove(m)
		}
		g.mu.Unlock()
		for _, m := range list {
			g.discard(m.draft)
		}
		switch {
		case len(list) == 0 && !batch:
			g.refuse(c, notFound())
		case !after():
			c.w.WriteHeader(http.StatusNoContent)
		}
	}
}
