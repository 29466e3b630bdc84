package people

import (
	"errors"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

func TestSaveFilter(t *testing.T) {
	t.Parallel()
	p := new(store.Person)
	for _, c := range []struct{ name, query, field string }{
		{name: "Fallite", query: "state:failed"},
		{name: "fallite", query: "state:sent"}, // in place of it
		{name: strings.Repeat("è", maxFilterName), query: "x"},
		{name: strings.Repeat("e", maxFilterName+1), query: "x", field: "name"},
		{name: "a\nb", query: "x", field: "name"},
		{name: "", query: "x", field: "name"},
		{name: "everything", query: " ", field: "q"},
	} {
		err := SaveFilter(p, store.SavedFilter{Name: c.name, Query: c.query})
		var wrong *FieldError
		if errors.As(err, &wrong); (err == nil) != (c.field == "") || err != nil && (wrong == nil || wrong.Field != c.field) {
			t.Errorf("%.20q, %q: %v", c.name, c.query, err)
		}
	}
	if len(p.Filters) != 2 || p.Filters[0].Query != "state:sent" {
		t.Errorf("%+v", p.Filters)
	}
	if err := RemoveFilter(p, "FALLITE"); err != nil || len(p.Filters) != 1 {
		t.Errorf("%v, %+v", err, p.Filters)
	}
	if err := RemoveFilter(p, "fallite"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
