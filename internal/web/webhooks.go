package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// webhookRoutes are the screens of the programs that are told of events.
func (s *Server) webhookRoutes() {
	s.page("GET /webhooks", s.webhooks)
	s.page("POST /webhooks", s.addWebhook)
	s.page("GET /webhooks/{id}", s.webhook)
	s.page("POST /webhooks/{id}", s.changeWebhook)
	s.page("POST /webhooks/{id}/replay", s.replayWebhook)
	s.page("GET /webhooks/{id}/rotate", s.askRotateWebhook)
	s.page("POST /webhooks/{id}/rotate", s.rotateWebhook)
	s.page("GET /webhooks/{id}/remove", s.askRemoveWebhook)
	s.page("POST /webhooks/{id}/remove", s.removeWebhook)
}

func (s *Server) webhooks(v *visit) error { return s.showWebhooks(v, formOf()) }

// showWebhooks shows the list with the form for a new one; an operator has their own.
func (s *Server) showWebhooks(v *visit, f *form) error {
	var list api.WebhookList
	if err := v.get("/v1/webhooks", &list); err != nil {
		return err
	}
	return v.showForm("webhooks", f, list)
}

// eventTypes are the types that a form names, separated by lines, commas or spaces.
func eventTypes(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

func (s *Server) addWebhook(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := map[string]any{"url": f.Get("url")}
	if types := eventTypes(f.Get("types")); len(types) > 0 {
		in["types"] = types
	}
	if client := f.Get("client"); client != "" {
		in["client"] = client
	}
	var h view.Webhook
	if err := v.call(http.MethodPost, "/v1/webhooks", in, &h); err != nil {
		if err := f.refuse(v, onLists(err)); err != nil {
			return err
		}
		return s.showWebhooks(v, f)
	}
	return s.showWebhook(v, &h, nil)
}

// A webhookScreen is one webhook.
type webhookScreen struct {
	Webhook view.Webhook
	Events  []eventShown
}

// An eventShown is an event that was sent to a webhook, or waits for it.
type eventShown struct {
	view.Event
	Confirmed bool
}

// shownEvents is how many events before and after the last confirmed one are shown.
const shownEvents = 20

func (v *visit) webhook() (*view.Webhook, error) {
	var h view.Webhook
	return &h, v.get(path("/v1/webhooks/", v.r.PathValue("id")), &h)
}

func (s *Server) webhook(v *visit) error {
	h, err := v.webhook()
	if err != nil {
		return err
	}
	return s.showWebhook(v, h, nil)
}

// showWebhook shows a webhook; f is the form as it was refused, nil: as it is stored.
func (s *Server) showWebhook(v *visit, h *view.Webhook, f *form) error {
	out := webhookScreen{Webhook: *h}
	q := url.Values{"after": {strconv.FormatInt(max(0, h.Cursor-shownEvents), 10)}, "limit": {strconv.Itoa(2 * shownEvents)}}
	if len(h.Types) > 0 {
		q.Set("types", strings.Join(h.Types, ","))
	}
	var page api.EventPage
	if err := v.get("/v1/events?"+q.Encode(), &page); err != nil {
		return err
	}
	for i := len(page.Items) - 1; i >= 0; i-- {
		if e := &page.Items[i]; !e.At.Before(h.CreatedAt) && (h.Client == "" || e.Client == h.Client) { // those before were never sent
			out.Events = append(out.Events, eventShown{*e, e.Seq <= h.Cursor})
		}
	}
	if f == nil {
		f = formOf("url", h.URL, "types", strings.Join(h.Types, "\n"))
		if h.Active {
			f.Values.Set("active", "on")
		}
	}
	return v.showForm("webhook", f, out)
}

func (s *Server) changeWebhook(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := map[string]any{"url": f.Get("url"), "active": f.Checked("active")}
	if types := eventTypes(f.Get("types")); len(types) > 0 {
		in["types"] = types
	}
	at := path("/v1/webhooks/", v.r.PathValue("id"))
	if err := v.call(http.MethodPut, at, in, nil); err != nil {
		if err := f.refuse(v, onLists(err)); err != nil {
			return err
		}
		h, err := v.webhook()
		if err != nil {
			return err
		}
		return s.showWebhook(v, h, f)
	}
	return v.done("saved", path("/webhooks/", v.r.PathValue("id")))
}

// replayWebhook sends the events after one once more.
func (s *Server) replayWebhook(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	h, err := v.webhook()
	if err != nil {
		return err
	}
	from, err := strconv.ParseInt(f.Get("from"), 10, 64)
	if err != nil || from < 1 {
		again := formOf("url", h.URL, "types", strings.Join(h.Types, "\n"), "from", f.Get("from"))
		again.object("from", text("web.not_a_number", "write a whole number"), v.lang)
		return s.showWebhook(v, h, again)
	}
	if err := v.call(http.MethodPost, path("/v1/webhooks/", h.ID)+"/replay", map[string]any{"after": from - 1}, nil); err != nil {
		return err
	}
	return v.done("replayed", path("/webhooks/", h.ID))
}

func (s *Server) askRotateWebhook(v *visit) error {
	h, err := v.webhook()
	if err != nil {
		return err
	}
	return v.show("confirm", confirmation{Title: text("web.rotate_title", "A new secret for {name}?", "name", h.URL),
		Action: path("/webhooks/", h.ID, "/rotate"), Back: path("/webhooks/", h.ID), Button: text("web.new_secret", "New secret"),
		Lines: []sentence{text("web.rotate_hook_what", "The old secret ends at once: the receiver refuses events until it has the new one. "+
			"What it refuses is sent again later."), text("web.no_undo", "This cannot be undone.")}})
}

func (s *Server) rotateWebhook(v *visit) error {
	var h view.Webhook
	if err := v.call(http.MethodPost, path("/v1/webhooks/", v.r.PathValue("id"))+"/rotate", nil, &h); err != nil {
		return err
	}
	return s.showWebhook(v, &h, nil)
}

func (s *Server) askRemoveWebhook(v *visit) error {
	h, err := v.webhook()
	if err != nil {
		return err
	}
	return v.show("confirm", confirmation{Title: text("web.remove_title", "Delete {name}?", "name", h.URL),
		Action: path("/webhooks/", h.ID, "/remove"), Back: path("/webhooks/", h.ID), Button: text("web.delete", "Delete"),
		Lines: []sentence{text("web.remove_hook_what", "The receiver is told of nothing any more."),
			text("web.no_undo", "This cannot be undone.")}})
}

func (s *Server) removeWebhook(v *visit) error {
	if err := v.call(http.MethodDelete, path("/v1/webhooks/", v.r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	return v.done("removed", "/webhooks")
}
