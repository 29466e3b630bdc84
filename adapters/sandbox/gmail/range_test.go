package gmail

import (
	"fmt"
	"testing"
)

func FuzzContentRange(f *testing.F) {
	for _, v := range []string{"bytes 0-1/2", "bytes 0-262143/*", "bytes */10", "bytes */*", "bytes 5-1/9", "bytes 0-9/9", "bits 0-1/2",
		"bytes 0-+1/2", "bytes -/-"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		r, err := parseContentRange(v)
		if err != nil {
			return
		}
		if r.start < 0 || r.end < r.start || r.total < -1 || !r.query && r.total >= 0 && r.end >= r.total {
			t.Fatalf("%q: %+v", v, r)
		}
		span, total := "*", "*"
		if !r.query {
			span = fmt.Sprintf("%d-%d", r.start, r.end)
		}
		if r.total >= 0 {
			total = fmt.Sprint(r.total)
		}
		if again, err := parseContentRange("bytes " + span + "/" + total); err != nil || again != r {
			t.Fatalf("%q: %+v, again %+v %v", v, r, again, err)
		}
	})
}
