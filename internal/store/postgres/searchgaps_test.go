package postgres

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// In an upgrade nodes of the version before go on writing deliveries, and moving them,
// without a word to the search index. Once they are old enough, the index has them too.
func TestSearchIndexBesideTheVersionBefore(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	then := time.Now().Add(-2 * time.Hour)
	old := make([][16]byte, 5)
	for i := range old {
		out, err := send(t, s, "l", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		old[i] = store.FirstID(then.Add(time.Duration(i) * time.Minute))
		for _, q := range []string{`UPDATE deliveries SET id = $1 WHERE id = $2`, `UPDATE search SET id = $1 WHERE id = $2`} {
			if _, err := s.pool.Exec(t.Context(), q, old[i], [16]byte(out[0].Deliveries[0])); err != nil {
				t.Fatal(err)
			}
		}
	}
	index := func() {
		t.Helper()
		for more := true; more; {
			var err error
			if more, err = s.IndexSearch(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
	}
	index()
	for _, q := range []string{`DELETE FROM search WHERE id <> $1`, `UPDATE search SET flow = flow + 1000 WHERE id = $1`} {
		if _, err := s.pool.Exec(t.Context(), q, old[2]); err != nil {
			t.Fatal(err)
		}
	}
	d, err := s.Delivery(t.Context(), store.ID(old[0]))
	if err != nil {
		t.Fatal(err)
	}
	filters := map[string]store.Filter{"connection": {Connection: d.Route.Connection},
		"word": {Match: []terms.Match{{Part: terms.Recipients, Value: d.Recipients[0].Address.String()}}}}
	if err := s.SetSetting(t.Context(), "search_seen", store.FirstID(then.Add(-time.Hour)).String()); err != nil {
		t.Fatal(err)
	}
	index()
	for name, f := range filters {
		if n, err := s.Count(t.Context(), f, 100); err != nil || n.N != len(old) {
			t.Errorf("by %s: %+v of %d, %v", name, n, len(old), err)
		}
	}
	var wrong int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM deliveries d LEFT JOIN search s ON s.id = d.id
		WHERE s.flow IS DISTINCT FROM d.flow`).Scan(&wrong); err != nil || wrong > 0 {
		t.Errorf("%d records are wrong; %v", wrong, err)
	}
}
