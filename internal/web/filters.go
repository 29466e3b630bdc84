package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/view"
)

// A savedFilter is a search that is kept under a name, as a list shows it.
type savedFilter struct {
	view.Filter
	Link    string
	Current bool
}

// savedFilters are the searches of the reader and those that are shared with them; q is
// the one that the list shows.
func (v *visit) savedFilters(q mailQuery) (own, shared []savedFilter) {
	for _, f := range v.me.Filters {
		own = append(own, ofFilter(f, q))
	}
	for _, f := range v.me.SharedFilters {
		shared = append(shared, ofFilter(f.Filter, q))
	}
	return own, shared
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

// removeFilter forgets a search of the reader, and goes back to the list.
func (s *Server) removeFilter(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	name := f.Get("filter")
	if slices.ContainsFunc(v.me.Filters, func(k view.Filter) bool { return k.Name == name }) { // gone already: nothing is left to do
		if err := v.call(http.MethodPatch, "/v1/me", map[string]any{"remove_filter": name}, nil); err != nil {
			return err
		}
	}
	return v.done("removed", newMailQuery(f).address(""))
}
