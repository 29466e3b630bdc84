package web

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// clientRoutes are the screens of the programs that send.
func (s *Server) clientRoutes() {
	s.page("GET /clients", s.clients)
	s.page("GET /clients/new", s.newClient)
	s.page("POST /clients", s.addClient)
	s.page("GET /clients/{id}", s.client)
	s.page("POST /clients/{id}", s.changeClient)
	s.page("GET /clients/{id}/rotate", s.askRotateClient)
	s.page("POST /clients/{id}/rotate", s.rotateClient)
	s.page("GET /clients/{id}/remove", s.askRemoveClient)
	s.page("POST /clients/{id}/remove", s.removeClient)
	s.page("POST /clients/{id}/keys", s.addKey)
	s.page("GET /clients/{id}/keys/{key}/revoke", s.askRevokeKey)
	s.page("POST /clients/{id}/keys/{key}/revoke", s.revokeKey)
}

func (s *Server) clients(v *visit) error {
	var list api.ClientList
	if err := v.get("/v1/clients", &list); err != nil {
		return err
	}
	return v.show("clients", list)
}

func (s *Server) newClient(v *visit) error {
	if !v.admin() {
		return forbidden()
	}
	return v.showForm("newclient", formOf(), nil)
}

// index is where in a list something is wrong, as the API names it.
var index = regexp.MustCompile(`\[\d+\]$`)

// onLists puts objections to one line of a list beside the list.
func onLists(err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	again := *p
	again.Field, again.Errors = index.ReplaceAllString(p.Field, ""), nil
	for _, e := range p.Errors {
		e.Field = index.ReplaceAllString(e.Field, "")
		again.Errors = append(again.Errors, e)
	}
	return &again
}

// lines are the entries of an area, one a line.
func lines(s string) []string {
	out := []string{}
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// clientOf is what the form says of a client.
func clientOf(v *visit, f *form) map[string]any {
	in := map[string]any{"name": f.Get("name"), "networks": lines(f.Get("networks")), "senders": lines(f.Get("senders")),
		"connections": lines(f.Get("connections")), "notify_off": f.Checked("notify_off"), "disabled": f.Checked("disabled")}
	for _, name := range []string{"connection", "class"} {
		if value := f.Get(name); value != "" {
			in[name] = value
		}
	}
	for _, name := range []string{"per_minute", "resubmit_minutes", "revision"} {
		value := f.Get(name)
		if value == "" {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			f.object(name, text("web.not_a_number", "write a whole number"), v.lang)
		}
		in[name] = n
	}
	return in
}

func (s *Server) addClient(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := clientOf(v, f)
	if f.Checked("no_secret") {
		in["no_secret"] = true
	}
	var added view.Client
	if !f.refused() {
		if err := v.call(http.MethodPost, "/v1/clients", in, &added); err != nil {
			if err := f.refuse(v, onLists(err)); err != nil {
				return err
			}
		}
	}
	if f.refused() {
		return v.showForm("newclient", f, nil)
	}
	return s.showClient(v, &added, nil, added.Secret, "")
}

// A clientScreen is one client.
type clientScreen struct {
	Client   view.Client
	Keys     []keyShown
	Secret   string // that was just made; shown once
	Key      string // the same
	LastUsed time.Time
	LastID   string // of its last message
	Settings []readySettings
	HTTP     string // address of the API
}

// A keyShown is an API key with its state.
type keyShown struct {
	view.Key
	State string // of the badge
	What  string
}

func (s *Server) client(v *visit) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	return s.showClient(v, c, nil, "", "")
}

// client reads the client that the address names.
func (v *visit) client() (*view.Client, error) {
	var c view.Client
	return &c, v.get(path("/v1/clients/", v.r.PathValue("id")), &c)
}

// showClient shows a client; f is the form as it was refused, nil: as the client is.
func (s *Server) showClient(v *visit, c *view.Client, f *form, secret, key string) error {
	out := clientScreen{Client: *c, Secret: secret, Key: key, HTTP: s.address(v)}
	var keys api.KeyList
	if err := v.get("/v1/keys?"+url.Values{"client": {c.ID}}.Encode(), &keys); err != nil {
		return err
	}
	for i := range keys.Items {
		out.Keys = append(out.Keys, showKey(v, &keys.Items[i]))
	}
	var last api.MessagePage
	if err := v.get("/v1/messages?"+url.Values{"client": {c.ID}, "limit": {"1"}}.Encode(), &last); err != nil {
		return err
	}
	if len(last.Items) > 0 {
		out.LastUsed, out.LastID = last.Items[0].Message.ReceivedAt, last.Items[0].Message.ID
	}
	out.Settings = s.ready(c.Name)
	if f == nil {
		f = formOfClient(v, c)
	}
	return v.showForm("client", f, out)
}

// formOfClient are the settings as they are stored, with connections by name.
func formOfClient(v *visit, c *view.Client) *form {
	f := formOf("name", c.Name, "networks", strings.Join(c.Networks, "\n"), "senders", strings.Join(c.Senders, "\n"), "connection",
		v.connectionName(c.Connection), "class", c.Class, "revision", strconv.FormatInt(c.Revision, 10))
	names := []string{}
	for _, id := range c.Connections {
		names = append(names, v.connectionName(id))
	}
	f.Values.Set("connections", strings.Join(names, "\n"))
	if c.PerMinute > 0 {
		f.Values.Set("per_minute", strconv.Itoa(c.PerMinute))
	}
	if c.ResubmitMinutes != nil {
		f.Values.Set("resubmit_minutes", strconv.Itoa(*c.ResubmitMinutes))
	}
	for name, on := range map[string]bool{"notify_off": c.NotifyOff, "disabled": c.Disabled} {
		if on {
			f.Values.Set(name, "on")
		}
	}
	return f
}

// connectionName is the name of a connection; of one that was deleted its id.
func (v *visit) connectionName(id string) string {
	if id == "" {
		return ""
	}
	var c struct {
		Name string `json:"name"`
	}
	if err := v.get(path("/v1/connections/", id), &c); err != nil || c.Name == "" {
		return id
	}
	return c.Name
}

func showKey(v *visit, k *view.Key) keyShown {
	out := keyShown{Key: *k, State: "ok", What: text("web.key_valid", "Valid").In(v.lang)}
	switch {
	case !k.RevokedAt.IsZero():
		out.State, out.What = "failed", text("web.key_revoked", "Revoked").In(v.lang)
	case !k.ExpiresAt.IsZero() && !v.now.Before(k.ExpiresAt):
		out.State, out.What = "failed", text("web.key_expired", "Expired").In(v.lang)
	}
	return out
}

func (s *Server) changeClient(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := clientOf(v, f)
	if !f.refused() {
		if err := v.call(http.MethodPut, path("/v1/clients/", v.r.PathValue("id")), in, nil); err != nil {
			if err := f.refuse(v, onLists(err)); err != nil {
				return err
			}
		}
	}
	if !f.refused() {
		return v.done("saved", path("/clients/", v.r.PathValue("id")))
	}
	c, err := v.client()
	if err != nil {
		return err
	}
	return s.showClient(v, c, f, "", "")
}

func (s *Server) askRotateClient(v *visit) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	return v.show("confirm", confirmation{Title: text("web.rotate_title", "A new secret for {name}?", "name", c.Name),
		Action: path("/clients/", c.ID, "/rotate"), Back: path("/clients/", c.ID), Button: text("web.new_secret", "New secret"),
		Lines: []sentence{text("web.rotate_what", "The old secret stops working at once: the program cannot send until it has the new one."),
			text("web.no_undo", "This cannot be undone.")}})
}

func (s *Server) rotateClient(v *visit) error {
	var c view.Client
	if err := v.call(http.MethodPost, path("/v1/clients/", v.r.PathValue("id"))+"/rotate", nil, &c); err != nil {
		return err
	}
	return s.showClient(v, &c, nil, c.Secret, "")
}

func (s *Server) askRemoveClient(v *visit) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	return v.show("confirm", confirmation{Title: text("web.remove_title", "Delete {name}?", "name", c.Name),
		Action: path("/clients/", c.ID, "/remove"), Back: path("/clients/", c.ID), Button: text("web.delete", "Delete"),
		Lines: []sentence{text("web.remove_client_what", "It can no longer send, and its API keys stop working. Its messages stay."),
			text("web.no_undo", "This cannot be undone.")}})
}

func (s *Server) removeClient(v *visit) error {
	if err := v.call(http.MethodDelete, path("/v1/clients/", v.r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	return v.done("removed", "/clients")
}

func (s *Server) addKey(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	c, err := v.client()
	if err != nil {
		return err
	}
	in := map[string]any{"name": f.Get("key_name"), "client": c.ID, "scopes": api.ClientScopes()}
	if f.Get("scope") == "send" {
		in["scopes"] = []string{api.ScopeMessagesSend}
	}
	var k view.Key
	if err := v.call(http.MethodPost, "/v1/keys", in, &k); err != nil {
		again := formOfClient(v, c)
		again.Values.Set("key_name", f.Get("key_name"))
		if err := again.refuse(v, err); err != nil {
			return err
		}
		again.rename("name", "key_name")
		return s.showClient(v, c, again, "", "")
	}
	return s.showClient(v, c, nil, "", k.Key)
}

func (s *Server) askRevokeKey(v *visit) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	return v.show("confirm", confirmation{Title: text("web.revoke_title", "Revoke the key?"),
		Action: path("/clients/", c.ID, "/keys/", v.r.PathValue("key"), "/revoke"), Back: path("/clients/", c.ID),
		Button: text("web.revoke", "Revoke"),
		Lines: []sentence{text("web.revoke_what", "Programs that use it can no longer send or read."),
			text("web.no_undo", "This cannot be undone.")}})
}

func (s *Server) revokeKey(v *visit) error {
	if err := v.call(http.MethodDelete, path("/v1/keys/", v.r.PathValue("key")), nil, nil); err != nil {
		return err
	}
	return v.done("revoked", path("/clients/", v.r.PathValue("id")))
}
