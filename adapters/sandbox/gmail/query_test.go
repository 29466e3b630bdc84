package gmail

import (
	"testing"
	"time"
)

// Whatever is searched for, a search has an answer.
func FuzzParseSearch(f *testing.F) {
	for _, seed := range []string{"", "in:sent subject:\"a b\" OR -to:x", "newer_than:\"\"", "larger:m",
		"after:2020/1/1 ((", "OR", "rfc822msgid:<a@b>", "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, q string) {
		s := parseSearch(q, time.Now())
		s.match(&storedMessage{labels: []string{"SENT"}, messageID: "<a@b>"}, new(view))
		s.messageID()
	})
}
