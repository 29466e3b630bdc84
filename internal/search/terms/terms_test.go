package terms_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/search/terms"
)

func record() *terms.Record {
	return &terms.Record{Senders: []string{"ERP@Contoso.it", "bounce@mail.contoso.it"},
		Recipients: []string{"Anna.Rossi@Sales.Example.com", "müller@example.org", "root@localhost"},
		Names:      []string{"Società Perché", "Anna Rossi"},
		Subject:    "Fattura n. 2026/0042 – L’offerta", MessageID: "<1.a@contoso.it>", Tag: "Newsletter Nord"}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	have := terms.Of(record())
	for _, c := range []struct {
		m    terms.Match
		want bool
	}{
		{terms.Match{Value: "fattura"}, true},
		{terms.Match{Value: "FATTURA"}, true},
		{terms.Match{Value: "fattur"}, false},
		{terms.Match{Value: "fattur", Prefix: true}, true},
		{terms.Match{Value: "2026/0042"}, true},
		{terms.Match{Value: "offerta"}, true},
		{terms.Match{Value: "societa"}, true},
		{terms.Match{Value: "perché"}, true},
		{terms.Match{Value: "rossi"}, true},
		{terms.Match{Value: "contoso"}, true},
		{terms.Match{Value: "anna.rossi@sales.example.com"}, true},
		{terms.Match{Value: "@example.com"}, true},
		{terms.Match{Value: "erp@contoso.it"}, true},
		{terms.Match{Value: "fattura ordine"}, false},
		{terms.Match{Part: terms.Subject, Value: "rossi"}, false},
		{terms.Match{Part: terms.Subject, Value: "offerta fattura"}, true},
		{terms.Match{Part: terms.Sender, Value: "erp@contoso.it"}, true},
		{terms.Match{Part: terms.Sender, Value: "@contoso.it"}, true},
		{terms.Match{Part: terms.Sender, Value: "@mail.contoso.it"}, true},
		{terms.Match{Part: terms.Sender, Value: "anna"}, false},
		{terms.Match{Part: terms.Recipients, Value: "ANNA.ROSSI@sales.example.com"}, true},
		{terms.Match{Part: terms.Recipients, Value: "anna.rossi@"}, true},
		{terms.Match{Part: terms.Recipients, Value: "anna.ro"}, true},
		{terms.Match{Part: terms.Recipients, Value: "anna"}, true},
		{terms.Match{Part: terms.Recipients, Value: "ann", Prefix: true}, true},
		{terms.Match{Part: terms.Recipients, Value: "ann"}, false},
		{terms.Match{Part: terms.Recipients, Value: "example.com"}, true},
		{terms.Match{Part: terms.Recipients, Value: "@sales.example.com"}, true},
		{terms.Match{Part: terms.Recipients, Value: "@ample.com"}, false},
		{terms.Match{Part: terms.Recipients, Value: "@com"}, false},
		{terms.Match{Part: terms.Recipients, Value: "@localhost"}, true},
		{terms.Match{Part: terms.Recipients, Value: "muller@example.org"}, true},
		{terms.Match{Part: terms.Recipients, Value: "erp@contoso.it"}, false},
		{terms.Match{Part: terms.Tag, Value: "newsletter nord"}, true},
		{terms.Match{Part: terms.Tag, Value: "newsletter"}, false},
		{terms.Match{Part: terms.Tag, Value: "newsl", Prefix: true}, true},
		{terms.Match{Part: terms.MessageID, Value: "<1.a@contoso.it>"}, true},
		{terms.Match{Part: terms.MessageID, Value: "<1.A@contoso.it>"}, false},
		{terms.Match{Value: "ordine", Not: true}, true},
		{terms.Match{Value: "fattura", Not: true}, false},
	} {
		if got := terms.Holds(terms.Compile([]terms.Match{c.m}), have); got != c.want {
			t.Errorf("%s %s: %v", c.m.Part, c.m, got)
		}
	}
}

// TestBounds: a record with thousands of recipients and words has a bounded number
// of terms, and each recipient is found.
func TestBounds(t *testing.T) {
	t.Parallel()
	r := record()
	r.Subject = strings.Repeat("parola ", 5000)
	r.Recipients = nil
	for i := range 3000 {
		r.Recipients = append(r.Recipients, strings.Repeat("x", i%300)+string(rune('a'+i%26))+"@example.com")
	}
	have := terms.Of(r)
	if len(have) > 8000 {
		t.Errorf("%d terms", len(have))
	}
	for _, a := range []string{r.Recipients[0], r.Recipients[299], r.Recipients[2999]} {
		if !terms.Holds(terms.Compile([]terms.Match{{Part: terms.Recipients, Value: a}}), have) {
			t.Errorf("%s is not found", a)
		}
	}
}

// FuzzOf: whatever stands in a message, its terms are what both indexes take, each
// once, and the message is found by each of its words.
func FuzzOf(f *testing.F) {
	f.Add("anna@x.it", "Fattura n. 1", "Società")
	f.Add("\xff\x00@", "\"'*", "İß\u0301")
	f.Fuzz(func(t *testing.T, address, subject, name string) {
		have := terms.Of(&terms.Record{Senders: []string{address}, Recipients: []string{address}, Subject: subject, Names: []string{name}})
		if s := slices.Clone(have); len(slices.Compact(slices.Sorted(slices.Values(s)))) != len(have) {
			t.Errorf("twice: %q", have)
		}
		for _, h := range have {
			if !utf8.ValidString(h) || len(h) > 130 || strings.ContainsAny(h, " \"'\\\x00*") {
				t.Errorf("bad term %q", h)
			}
		}
		for i, w := range terms.Words(subject) {
			if i < 200 && !terms.Holds(terms.Compile([]terms.Match{{Part: terms.Subject, Value: w}}), have) {
				t.Errorf("%q is not found by %q", subject, w)
			}
		}
	})
}
