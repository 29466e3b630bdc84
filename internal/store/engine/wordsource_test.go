package engine

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// An index that answers in no order is asked for the newest days first, each time for
// those before, and without a bound at the end: a word of ten million messages must not
// have all of them gathered for one page.
func TestSpansOfDays(t *testing.T) {
	t.Parallel()
	var asked [][]string
	p := &Ports{
		Schema: Schema{Cursor: "d.id", Words: WordIndex{Days: true, Key: "id", HitKeys: "(%s)",
			Query: func(_ []terms.Clause, days []string) string { asked = append(asked, days); return "" }}},
		DB: DB{List: func(context.Context, string, []any, func(), func(Scan) error) error { return nil }},
	}
	l := &listing{p: p}
	src := l.byWords()(nil, nil)
	for from := any(nil); ; {
		_, next, err := src(context.Background(), from, 51)
		if err != nil {
			t.Fatal(err)
		}
		if next == nil {
			break
		}
		from = next
	}
	if n := len(asked); n < 3 || asked[n-1] != nil {
		t.Fatalf("asked for the days %v", asked)
	}
	today := DayTerm(store.FirstID(time.Now()))
	if !slices.Contains(asked[0], today) || len(asked[0]) != firstSpan {
		t.Errorf("asked first for %v, today is %s", asked[0], today)
	}
	seen := map[string]bool{}
	for _, days := range asked[:len(asked)-1] {
		for _, d := range days {
			if d == "" || seen[d] {
				t.Errorf("asked for %q twice: %v", d, asked)
			}
			seen[d] = true
		}
	}
}
