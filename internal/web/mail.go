package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// mailRoutes are the screens of messages.
func (s *Server) mailRoutes() {
	s.page("GET /mail", s.mail)
	s.page("GET /mail/find", s.findMail)
	s.page("GET /mail/export", s.exportMail)
	s.page("GET /mail/bulk", s.askBulk)
	s.page("POST /mail/bulk", s.runBulk)
	s.page("POST /mail/filters", s.saveFilter)
	s.page("POST /mail/filters/remove", s.removeFilter)
}

// A mailScreen is one page of the mail that a search finds.
type mailScreen struct {
	Partial     bool // the search ended before the page was full
	Items       []view.MessageEntry
	Groups      []stateGroup
	Query       mailQuery
	Filtered    bool // there is something to act on besides everything
	First, Next string
	CSV, JSON   string // the whole list as a file
	Own, Shared []savedFilter
}

// A mailQuery is what the address of a list asks for.
type mailQuery struct {
	Q     string
	Group string // of states; empty: all
}

// A stateGroup is a choice of states at a glance.
type stateGroup struct {
	Name, Link string
	Current    bool
}

// groups are the choices, with the API's states.
func groups() []struct {
	id     string
	name   mime.Text
	states []store.State
} {
	return []struct {
		id     string
		name   mime.Text
		states []store.State
	}{
		{"", text("web.states_all", "All"), nil},
		{"waiting", text("web.states_waiting", "Waiting"), []store.State{store.Queued, store.Unverified, store.Sending}},
		{"held", text("web.held", "Held"), []store.State{store.Held}},
		{"sent", text("web.states_sent", "Sent"), []store.State{store.Sent}},
		{"failed", text("web.states_failed", "Failed"), []store.State{store.Failed, store.Expired}},
		{"cancelled", text("web.states_cancelled", "Cancelled"), []store.State{store.Cancelled}},
	}
}

// newMailQuery reads the address; a group that there is not is none.
func newMailQuery(f *form) mailQuery {
	q := mailQuery{Q: f.Get("q"), Group: f.Get("state")}
	for _, g := range groups() {
		if g.id == q.Group {
			return q
		}
	}
	q.Group = ""
	return q
}

func (q mailQuery) states() (out []string) {
	for _, g := range groups() {
		if g.id == q.Group {
			for _, s := range g.states {
				out = append(out, s.String())
			}
		}
	}
	return out
}

// address is the list for this query, behind an entry; empty: from the newest on.
func (q mailQuery) address(after string) string {
	u := q.values("after", after)
	if len(u) == 0 {
		return "/mail"
	}
	return "/mail?" + u.Encode()
}

// export is the address of the whole list as a file.
func (q mailQuery) export(format string) string {
	return "/mail/export?" + q.values("format", format).Encode()
}

// values are those of the query and one more, without the empty ones.
func (q mailQuery) values(more, value string) url.Values {
	u := url.Values{}
	for name, v := range map[string]string{"q": q.Q, "state": q.Group, more: value} {
		if v != "" {
			u.Set(name, v)
		}
	}
	return u
}

// exportMail answers with all that a search finds, as a file.
func (s *Server) exportMail(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	u := newMailQuery(f).ofAPI(v.zone)
	return v.file("/v1/messages/export", u, f.Get("format"))
}

// ofAPI is the query as the API's list takes it.
func (q mailQuery) ofAPI(zone *time.Location) url.Values {
	u := url.Values{"tz": {zone.String()}}
	if q.Q != "" {
		u.Set("q", q.Q)
	}
	if states := q.states(); len(states) > 0 {
		u.Set("state", strings.Join(states, ","))
	}
	return u
}

// glance are the choices of states for the same words.
func (q mailQuery) glance(lang string) (out []stateGroup) {
	for _, g := range groups() {
		to := mailQuery{Q: q.Q, Group: g.id}
		out = append(out, stateGroup{Name: g.name.In(lang), Link: to.address(""), Current: g.id == q.Group})
	}
	return out
}

func (s *Server) mail(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	return s.showMail(v, f)
}

// showMail shows the list that a form asks for.
func (s *Server) showMail(v *visit, f *form) error {
	q := newMailQuery(f)
	out := mailScreen{Query: q, Groups: q.glance(v.lang), Filtered: q.Q != "" || q.Group != ""}
	var err error
	if out.Own, out.Shared, err = v.savedFilters(q); err != nil {
		return err
	}
	u := q.ofAPI(v.zone)
	if after := f.Get("after"); after != "" {
		u.Set("after", after)
		out.First = q.address("")
	}
	var page api.MessagePage
	if err := v.get("/v1/messages?"+u.Encode(), &page); err != nil {
		if err := f.refuseSearch(v, err); err != nil {
			return err
		}
		return v.showForm("mail", f, out)
	}
	out.Items, out.Partial = page.Items, page.Partial
	if len(page.Items) > 0 || page.Partial {
		out.CSV, out.JSON = q.export("csv"), q.export("jsonl")
	}
	if page.Next != "" {
		out.Next = q.address(page.Next)
	}
	return v.showForm("mail", f, out)
}

// refuseSearch puts the objection to a search beside its box.
func (f *form) refuseSearch(v *visit, err error) error {
	var p *problem
	if errors.As(err, &p) && strings.HasPrefix(p.Field, "query.") {
		again := *p
		again.Field = "q"
		err = &again
	}
	return f.refuse(v, err)
}

// findMail makes one search of the fields of the form, and goes there: the search
// box then has it, and the address can be sent to someone.
func (s *Server) findMail(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	q := newMailQuery(f)
	words := []string{}
	if q.Q != "" {
		words = append(words, q.Q)
	}
	for _, name := range []string{"from", "to", "subject", "connection", "after", "before"} {
		if value := strings.ReplaceAll(f.Get(name), `"`, ""); strings.TrimSpace(value) != "" {
			words = append(words, name+`:"`+value+`"`)
		}
	}
	q.Q = strings.Join(words, " ")
	return v.redirect(q.address(""))
}

// StateName is a state of a delivery in words.
func (v *visit) StateName(s store.State) string { return stateText(s).In(v.lang) }

func stateText(s store.State) mime.Text {
	switch s {
	case store.Queued:
		return text("web.state_queued", "Waiting")
	case store.Unverified:
		return text("web.state_unverified", "Being verified")
	case store.Sending:
		return text("web.state_sending", "Being sent")
	case store.Held:
		return text("web.state_held", "Held")
	case store.Sent:
		return text("web.state_sent", "Sent")
	case store.Failed:
		return text("web.state_failed", "Failed")
	case store.Expired:
		return text("web.state_expired", "Given up")
	}
	return text("web.state_cancelled", "Cancelled")
}

// StateBadge is the look of a state.
func (v *visit) StateBadge(s store.State) string {
	switch s {
	case store.Sent:
		return "ok"
	case store.Held:
		return "attention"
	case store.Failed, store.Expired:
		return "failed"
	case store.Cancelled:
		return "off"
	}
	return "waiting"
}

// Recipients are the addresses of a delivery, of many the first.
func (v *visit) Recipients(d view.Delivery) string {
	const most = 3
	names := []string{}
	for i := range d.Recipients[:min(most, len(d.Recipients))] {
		names = append(names, d.Recipients[i].Address)
	}
	if more := len(d.Recipients) - most; more > 0 {
		names = append(names, mime.NewCount("web.more_recipients", more, "and one more", "and {count} more").In(v.lang))
	}
	return strings.Join(names, ", ")
}

// act asks the API for an action on a message or a search; where nothing could be
// done, that is a notice and no error.
func (v *visit) act(at string, in any) (done bool, err error) {
	var out api.ActionAnswer
	err = v.call(http.MethodPost, at, in, &out)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusConflict {
		return false, nil
	}
	return out.Changed > 0, err
}

// verbs are the actions, by the names that the API has for them.
func verbs() []store.Verb {
	return []store.Verb{store.DoRetry, store.DoCancel, store.DoHold, store.DoRelease}
}

// verbOf is an action that an address or a form names.
func verbOf(name string) (store.Verb, error) {
	if i := slices.Index(verbs(), store.Verb(name)); i >= 0 {
		return verbs()[i], nil
	}
	return "", &problem{Status: http.StatusNotFound, Detail: text("web.no_page", "there is no page at this address"),
		Hint: text("web.no_page_hint", "check the address, or start from the overview")}
}

// action reads a form, and the action that it names.
func (v *visit) action() (*form, store.Verb, error) {
	f, err := newForm(v)
	if err != nil {
		return nil, "", err
	}
	verb, err := verbOf(f.Get("action"))
	return f, verb, err
}

// verbText is the button of an action.
func verbText(verb store.Verb) mime.Text {
	switch verb {
	case store.DoRetry:
		return text("web.retry", "Retry")
	case store.DoCancel:
		return text("web.cancel", "Cancel")
	case store.DoHold:
		return text("web.hold", "Hold")
	}
	return text("web.release", "Release")
}
