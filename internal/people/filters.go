package people

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Bounds of the searches of messages that a person keeps.
const (
	maxFilters    = 50
	maxFilterName = 100 // characters
)

// SaveFilter gives the person a search under its name, in place of one of the same name
// in whatever letters. The error is a *FieldError.
func SaveFilter(p *store.Person, f store.SavedFilter) error {
	if f.Name == "" || utf8.RuneCountInString(f.Name) > maxFilterName || strings.ContainsFunc(f.Name, unicode.IsControl) {
		return &FieldError{"name", mime.NewText("people.filter_name", "a search is kept under a name of at most {max} characters", "max",
			maxFilterName)}
	}
	if strings.TrimSpace(f.Query) == "" {
		return &FieldError{"q", mime.NewText("people.filter_empty", "this search finds everything: search for something first")}
	}
	if i := filterNamed(p, f.Name); i >= 0 {
		p.Filters[i] = f
		return nil
	}
	if len(p.Filters) >= maxFilters {
		return &FieldError{"name", mime.NewText("people.filters_full", "a person keeps {max} searches at most: remove one first", "max",
			maxFilters)}
	}
	p.Filters = append(p.Filters, f)
	slices.SortFunc(p.Filters, func(a, b store.SavedFilter) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return nil
}

// RemoveFilter takes the search with the name from the person; store.ErrNotFound: they
// have none.
func RemoveFilter(p *store.Person, name string) error {
	i := filterNamed(p, name)
	if i < 0 {
		return store.ErrNotFound
	}
	p.Filters = slices.Delete(p.Filters, i, i+1)
	return nil
}

// RemoveSharedFilter is RemoveFilter for another person, who does not see what is not shared.
func RemoveSharedFilter(p *store.Person, name string) error {
	if i := filterNamed(p, name); i < 0 || !p.Filters[i].Shared || p.Role != store.RoleAdmin {
		return store.ErrNotFound
	}
	return RemoveFilter(p, name)
}

func filterNamed(p *store.Person, name string) int {
	return slices.IndexFunc(p.Filters, func(f store.SavedFilter) bool { return strings.EqualFold(f.Name, name) })
}

// A SharedFilter is a search that an administrator shares with everyone.
type SharedFilter struct {
	store.SavedFilter
	Person string // id
	By     string // their address
}

// SharedFilters returns the searches that active administrators share, by name.
func (s *Service) SharedFilters(ctx context.Context) ([]SharedFilter, error) {
	return s.copies.shared(ctx)
}

func sharedOf(all []store.Person) (out []SharedFilter) {
	for i := range all {
		p := &all[i]
		if p.Role != store.RoleAdmin || p.Disabled {
			continue
		}
		for _, f := range p.Filters {
			if f.Shared {
				out = append(out, SharedFilter{SavedFilter: f, Person: p.ID, By: p.Email})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b SharedFilter) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}
