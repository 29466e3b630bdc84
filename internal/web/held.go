package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// A heldScreen is one page of what waits for a decision.
type heldScreen struct {
	Items       []view.MessageEntry
	First, Next string
}

func (s *Server) heldRoutes() {
	s.page("GET /held", s.held)
	s.page("POST /held/{id}", s.decideHeld)
}

func (s *Server) held(v *visit) error {
	u, out := url.Values{"state": {store.Held.String()}, "order": {"oldest"}}, heldScreen{}
	if after := v.r.URL.Query().Get("after"); after != "" {
		u.Set("after", after)
		out.First = "/held"
	}
	var page api.MessagePage
	if err := v.get("/v1/messages?"+u.Encode(), &page); err != nil {
		return err
	}
	out.Items = page.Items
	if page.Next != "" {
		out.Next = "/held?" + url.Values{"after": {page.Next}}.Encode()
	}
	return v.show("held", out)
}

// decideHeld releases or cancels one delivery that is held, and no other of its
// message.
func (s *Server) decideHeld(v *visit) error {
	_, verb, err := v.action()
	if err != nil {
		return err
	}
	done, err := v.act("/v1/messages/actions", map[string]any{"action": string(verb),
		"q": "id:" + v.r.PathValue("id") + " state:" + store.Held.String()})
	if err != nil {
		return err
	}
	return v.done(doneWord(verb, done), "/held")
}

// unknownConnection makes of a connection that there is not an objection to its field.
func unknownConnection(err error) error {
	var p *problem
	if errors.As(err, &p) && p.Code == "unknown_connection" {
		again := *p
		again.Status, again.Field, again.Hint = http.StatusUnprocessableEntity, "connection", text("web.connection_hint",
			"write its name as the list of connections shows it")
		return &again
	}
	return err
}
