package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/internal/view"
)

// A savedFilter is a search that is kept under a name, as a list shows it.
type savedFilter struct {
	view.Filter
	Link    string
	Current bool
	By      string // address and id of the other administrator who shares it; empty: the reader's own
	Person  string
}

// savedFilters are the searches of the reader and those that are shared with them; q is
// the one that the list shows.
func (v *visit) savedFilters(q mailQuery) (own, shared []savedFilter, err error) {
	var me view.Me
	if err := v.get("/v1/me", &me); err != nil {
		return nil, nil, err
	}
	for _, f := range me.Filters {
		own = append(own, ofFilter(f, q))
	}
	for _, f := range me.SharedFilters {
		kept := ofFilter(f.Filter, q)
		kept.By, kept.Person = f.By, f.Person
		shared = append(shared, kept)
	}
	return own, shared, nil
}

func ofFilter(f view.Filter, q mailQuery) savedFilter {
	to := mailQuery{Q: f.Query}
	return savedFilter{Filter: f, Link: to.address(""), Current: to == q}
}

// saveFilter keeps the search of the list under a name.
func (s *Server) saveFilter(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	q := newMailQuery(f)
	if states := q.states(); len(states) > 0 { // one search says it all
		q.Q = strings.TrimSpace(q.Q + " state:" + strings.Join(states, ","))
	}
	in := view.Filter{Name: f.Get("filter_name"), Query: q.Q, Shared: f.Checked("shared")}
	if err := v.call(http.MethodPatch, "/v1/me", map[string]any{"save_filter": in}, nil); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		f.rename("save_filter.name", "filter_name")
		f.rename("save_filter.q", "q")
		return s.showMail(v, f)
	}
	return v.done("filter_saved", mailQuery{Q: q.Q}.address(""))
}

// removeFilter forgets a search of the reader, or one that another administrator shares,
// and goes back to the list. One that is gone already leaves nothing to do.
func (s *Server) removeFilter(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	at := "/v1/me"
	if person := f.Get("person"); person != "" {
		at = path("/v1/people/", person)
	}
	err = v.call(http.MethodPatch, at, map[string]any{"remove_filter": f.Get("filter")}, nil)
	if p := (*problem)(nil); err != nil && (!errors.As(err, &p) || p.Status != http.StatusNotFound) {
		return err
	}
	return v.done("removed", newMailQuery(f).address(""))
}
