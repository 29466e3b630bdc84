package graph

import (
	"strings"
	"testing"
	"time"
)

// What the parser takes can be matched and names properties that can be filtered by.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"subject eq 'x'", "not (isDraft eq true) and contains(subject,'a''b')", "a/any(b:b eq 'c')",
		"toRecipients/any(r:r/emailAddress/address eq 'x')", "receivedDateTime ge 2020-01-01T00:00:00Z",
		"((", "'", "subject eq", ":", "not not"} {
		f.Add(seed)
	}
	now := time.Now()
	it, err := newItem(now)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseFilter(text)
		if err != nil {
			return
		}
		if parsed.match(it, now) == (&filter{op: "not", left: parsed}).match(it, now) {
			t.Errorf("%q is neither true nor false", text)
		}
		parsed.conjoined("internetMessageId")
		parsed.paths()
	})
}

func FuzzParseSearch(f *testing.F) {
	for _, seed := range []string{`"a"`, `"subject:\"b c\" OR NOT d"`, `"received>=2020-01-01"`, `""`, `"-"`,
		`"OR"`, `"hasAttachments:true"`} {
		f.Add(seed)
	}
	it, err := newItem(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSearch(text)
		if err != nil {
			return
		}
		for _, group := range *s {
			if len(group) == 0 {
				t.Errorf("%q: a group without a term", text)
			}
			for _, term := range group {
				term.match(it, &view{text: strings.ToLower(text)})
			}
		}
	})
}
