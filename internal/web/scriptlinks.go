package web

import (
	"errors"
	"net/http"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// scriptLinkRoutes are links for administrators of tenants, who have no account here.
func (s *Server) scriptLinkRoutes() {
	s.open("GET /scripts/{token}", s.linkedScripts)
	s.page("GET /connections/links", s.scriptLinks)
	s.page("POST /connections/new/link", s.linkNewScripts)
	s.page("POST /connections/{id}/link", s.linkScripts)
	s.page("POST /connections/links/revoke", s.revokeScriptLink)
}

// A scriptLinksScreen is the links of the reader, and the one that was just made.
type scriptLinksScreen struct {
	Items []view.ScriptLink
	Link  string // empty: none was made now
}

func (s *Server) scriptLinks(v *visit) error { return v.showScriptLinks("") }

func (v *visit) showScriptLinks(link string) error {
	var me view.Me
	if err := v.get("/v1/me", &me); err != nil {
		return err
	}
	return v.show("scriptlinks", scriptLinksScreen{Items: me.ScriptLinks, Link: link})
}

// linkScripts makes a link to the scripts of a connection that is stored.
func (s *Server) linkScripts(v *visit) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	return v.makeScriptLink(map[string]any{"connection": c.ID})
}

// linkNewScripts makes one for what was typed of a connection, which lacks what the
// scripts make.
func (s *Server) linkNewScripts(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	doc := f.connectionDocument(v, false)
	if f.refused() {
		return s.showNewConnection(v, f, nil)
	}
	err = v.makeScriptLink(map[string]any{"settings": doc})
	var p *problem
	if !errors.As(err, &p) || p.Status == http.StatusUnauthorized {
		return err
	}
	if err := f.refuseConnection(v, err); err != nil {
		return err
	}
	return s.showNewConnection(v, f, nil)
}

func (v *visit) makeScriptLink(in map[string]any) error {
	var link view.ScriptLink
	if err := v.call(http.MethodPost, "/v1/me/script-links", in, &link); err != nil {
		return err
	}
	return v.showScriptLinks(v.absolute(link.URL))
}

func (s *Server) revokeScriptLink(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	err = v.call(http.MethodDelete, path("/v1/me/script-links/", f.Get("link")), nil, nil)
	if p := (*problem)(nil); err != nil && (!errors.As(err, &p) || p.Status != http.StatusNotFound) { // gone already
		return err
	}
	return v.done("removed", "/connections/links")
}

// linkedScripts is what a link shows to whoever has it.
func (s *Server) linkedScripts(v *visit) error {
	var out api.LinkedScripts
	err := v.call(http.MethodPost, "/v1/script-links/look-up", map[string]string{"token": v.r.PathValue("token")}, &out)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusGone {
		return &problem{Status: p.Status, Detail: p.Detail, Hint: text("web.script_link_ended", "ask who sent it to you for a new link")}
	}
	if err != nil {
		return err
	}
	v.w.Header().Set("X-Robots-Tag", "noindex")
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	return v.show("linkedscripts", out)
}
