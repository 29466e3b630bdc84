package app

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// A list is one document, or one a line; one that an error cuts short is none,
// and nothing follows it.
func TestListWriter(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store went away")
	for _, c := range []struct {
		name  string
		n     int
		lines bool
		err   error
		want  string
		begun bool
	}{
		{name: "empty", want: "[]\n"},
		{name: "two", n: 2, want: "[{\"n\":0}\n,{\"n\":1}\n]\n"},
		{name: "lines", n: 2, lines: true, want: "{\"n\":0}\n{\"n\":1}\n"},
		{name: "no lines", lines: true},
		{name: "error at once", err: broken},
		{name: "error on the way", n: 1, err: broken, want: "[{\"n\":0}\n", begun: true},
		{name: "error between lines", n: 1, lines: true, err: broken, want: "{\"n\":0}\n", begun: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			l := listWriter{w: &b, lines: c.lines}
			for i := range c.n {
				if err := l.add(map[string]int{"n": i}); err != nil {
					t.Fatal(err)
				}
			}
			err := l.end(c.err)
			if !errors.Is(err, c.err) || OutputBegun(err) != c.begun || b.String() != c.want {
				t.Errorf("%q, error %v, begun %t", b.String(), err, OutputBegun(err))
			}
			if !c.lines && c.err == nil && !json.Valid([]byte(b.String())) {
				t.Errorf("not JSON: %s", b.String())
			}
		})
	}
}
