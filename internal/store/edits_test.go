package store

import (
	"slices"
	"testing"
)

func TestEditsSince(t *testing.T) {
	t.Parallel()
	const log = "2 cut,a\n13 b\n14 c,d\n15 b\n"
	for _, c := range []struct {
		name    string
		log     string
		since   int64
		version int64
		ids     []string
		known   bool
	}{
		{"nothing new", log, 15, 15, nil, true},
		{"one", log, 14, 15, []string{"b"}, true},
		{"several, each once", log, 12, 15, []string{"b", "c", "d"}, true},
		{"the first line is a part", log, 11, 15, nil, false},
		{"long ago", log, 1, 15, nil, false},
		{"counted up by one that notes nothing", log, 14, 16, nil, false},
		{"counted up in between", "13 b\n15 c\n", 12, 15, nil, false},
		{"an older database", log, 20, 15, nil, false},
		{"none", "", 1, 2, nil, false},
		{"none, and none needed", "", 2, 2, nil, true},
		{"no log", "x\ny", 1, 2, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := EditsSince(c.log, c.since, c.version)
			if e.Known != c.known || e.Version != c.version || c.known && !slices.Equal(e.IDs, c.ids) {
				t.Errorf("%+v, want %v %v", e, c.ids, c.known)
			}
		})
	}
}
