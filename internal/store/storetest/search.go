package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// searchCase is a filter and the letters that it finds, of those that searchable
// submits.
type searchCase struct {
	name string
	f    store.Filter
	want func(i int) bool
}

func words(v string) []terms.Match { return []terms.Match{{Value: v}} }

func part(p terms.Part, v string) []terms.Match { return []terms.Match{{Part: p, Value: v}} }

func every(n int) func(int) bool { return func(i int) bool { return i%n == 0 } }

func one(n int) func(int) bool { return func(i int) bool { return i == n } }

func searchCases(all []store.Submitted) []searchCase {
	not := func(m []terms.Match) []terms.Match { m[0].Not = true; return m }
	start := func(m []terms.Match) []terms.Match { m[0].Prefix = true; return m }
	var among []string
	for i := range 12 {
		among = append(among, fmt.Sprint("x", i))
	}
	return []searchCase{
		{"everything", store.Filter{}, every(1)},
		{"word", store.Filter{Match: words("perche")}, every(3)},
		{"word of the subject", store.Filter{Match: part(terms.Subject, "PERCHÉ")}, every(3)},
		{"number", store.Filter{Match: words("n17")}, one(17)},
		{"beginning", store.Filter{Match: start(words("perc"))}, every(3)},
		{"no beginning", store.Filter{Match: words("perc")}, func(int) bool { return false }},
		{"without", store.Filter{Match: append(words("fattura"), not(words("perche"))...)}, func(i int) bool { return i%3 != 0 }},
		{"only without", store.Filter{Match: not(words("perche"))}, func(i int) bool { return i%3 != 0 }},
		{"name", store.Filter{Match: words("Società")}, every(5)},
		{"no name in the subject", store.Filter{Match: part(terms.Subject, "Societa")}, func(int) bool { return false }},
		{"recipient", store.Filter{Match: part(terms.Recipients, "P04@a.EXAMPLE.com")}, one(4)},
		{"domain", store.Filter{Match: part(terms.Recipients, "@a.example.com")}, every(2)},
		{"domains below", store.Filter{Match: part(terms.Recipients, "@example.com")}, every(1)},
		{"sender", store.Filter{Match: part(terms.Sender, "erp@contoso.it")}, every(1)},
		{"no sender", store.Filter{Match: part(terms.Sender, "@example.com")}, func(int) bool { return false }},
		{"any address", store.Filter{Match: words("p04@a.example.com")}, one(4)},
		{"Message-ID", store.Filter{Match: part(terms.MessageID, "<m9@contoso.it>")}, one(9)},
		{"tag", store.Filter{Match: part(terms.Tag, "due parole")}, every(7)},
		{"word and recipient", store.Filter{Match: append(words("perche"), part(terms.Recipients, "@a.example.com")...)}, every(6)},
		{"word and connection", store.Filter{Connection: "x3", Match: words("perche")}, func(i int) bool { return i%12 == 3 && i%3 == 0 }},
		{"word and state", store.Filter{States: []store.State{store.Held}, Match: words("perche")},
			func(i int) bool { return i%10 == 9 && i%3 == 0 }},
		{"word and the state of most", store.Filter{States: []store.State{store.Queued, store.Sent}, Match: words("perche")},
			func(i int) bool { return i%10 != 9 && i%3 == 0 }},
		{"word and time", store.Filter{Since: after(10), Before: after(20), Match: words("perche")},
			func(i int) bool { return i >= 10 && i < 20 && i%3 == 0 }},
		{"hostile word", store.Filter{Match: words(`a"b'c\) OR *`)}, func(int) bool { return false }},
		{"connection", store.Filter{Connection: "x3"}, func(i int) bool { return i%12 == 3 }},
		{"connection and state", store.Filter{Connection: "x9", States: []store.State{store.Held}},
			func(i int) bool { return i%12 == 9 && i%10 == 9 }},
		{"client", store.Filter{Client: "c1"}, func(i int) bool { return i%2 == 1 }},
		{"of many connections", store.Filter{Among: among[:11]}, func(i int) bool { return i%12 != 11 }},
		{"of many connections, and a word", store.Filter{Among: among[1:], Match: words("perche")},
			func(i int) bool { return i%12 != 0 && i%3 == 0 }},
		{"of no connection", store.Filter{Among: []string{}}, func(int) bool { return false }},
		{"of an unknown connection", store.Filter{Connection: "none"}, func(int) bool { return false }},
		{"delivery", store.Filter{ID: all[8].Deliveries[0]}, one(8)},
		{"message", store.Filter{ID: all[8].ID}, one(8)},
		{"id of nothing", store.Filter{ID: store.NewID()}, func(int) bool { return false }},
	}
}

// searchable submits letters from first on.
func searchable(t *testing.T, s store.Store, first, n int) (out []store.Submitted) {
	t.Helper()
	for i := first; i < first+n; i++ {
		l := letter{lane: fmt.Sprint("l", i%4), client: fmt.Sprint("c", i%2), connection: fmt.Sprint("x", i%12), at: after(float64(i)),
			to: []string{fmt.Sprintf("p%02d@%s.example.com", i, map[bool]string{true: "a", false: "b"}[i%2 == 0])}, held: i%10 == 9}
		if i%7 == 0 {
			l.tag = "Due parole"
		}
		m := l.message()
		m.MessageID, m.Subject = fmt.Sprintf("<m%d@contoso.it>", i), fmt.Sprintf("Fattura n%d", i)
		if i%3 == 0 {
			m.Subject += ": perché?"
		}
		if i%5 == 0 {
			m.Names = []string{"Società Rossi"}
		}
		done, err := s.Submit(t.Context(), store.Submission{Now: l.at, Messages: []store.NewMessage{m}})
		must(t, err)
		out = append(out, done...)
	}
	return out
}

// index brings the index up to date in small steps, at most so many.
func index(t *testing.T, s store.Store, steps int) {
	t.Helper()
	for range steps {
		more, err := s.IndexSearch(t.Context(), 7)
		must(t, err)
		if !more {
			return
		}
	}
}

// testSearch: a list finds the same before the index has the deliveries, while it
// has some of them, and when it has all; in both directions and page by page.
func testSearch(t *testing.T, h Harness) {
	s := h.Open(t)
	all := searchable(t, s, 0, 30)
	check := func(stage string) {
		t.Helper()
		for _, c := range searchCases(all) {
			var ids []store.ID
			for i := range all {
				if c.want(i) {
					ids = append(ids, all[i].Deliveries[0])
				}
			}
			want(t, stage+", oldest first: "+c.name, fmt.Sprint(forward(t, s, store.ListRequest{Filter: c.f, Limit: 4, Oldest: true})),
				fmt.Sprint(ids))
			slices.Reverse(ids)
			want(t, stage+": "+c.name, fmt.Sprint(forward(t, s, store.ListRequest{Filter: c.f, Limit: 4})), fmt.Sprint(ids))
			n, err := s.Count(t.Context(), c.f, 5)
			must(t, err)
			want(t, stage+", counted: "+c.name, n, store.Count{N: min(len(ids), 5), More: len(ids) > 5})
		}
	}
	check("no index")
	index(t, s, 2)
	check("half an index")
	index(t, s, 20)
	check("an index")
	all = append(all, searchable(t, s, 30, 15)...)
	check("newer ones")
	index(t, s, 1)
	check("some newer ones in the index")
	index(t, s, 20)
	check("all in the index")
}

// forward pages through a list to its end, and then back: the pages are the same.
func forward(t *testing.T, s store.Store, r store.ListRequest) (out []store.ID) {
	t.Helper()
	var pages [][]store.ID
	prev := ""
	for range 100 {
		p, err := s.List(t.Context(), r)
		must(t, err)
		var ids []store.ID
		for _, e := range p.Entries {
			ids = append(ids, e.Delivery.ID)
		}
		pages, out, prev = append(pages, ids), append(out, ids...), p.Prev
		if p.Next == "" {
			break
		}
		r.After = p.Next
	}
	if len(pages) > 1 && prev == "" {
		t.Error("the last page has no mark of the one before")
	}
	r.After = ""
	for i := len(pages) - 2; i >= 0 && prev != ""; i-- {
		r.Back = prev
		p, err := s.List(t.Context(), r)
		must(t, err)
		var ids []store.ID
		for _, e := range p.Entries {
			ids = append(ids, e.Delivery.ID)
		}
		want(t, "the page before", fmt.Sprint(ids), fmt.Sprint(pages[i]))
		want(t, "and its mark of the one before", p.Prev == "", i == 0)
		prev = p.Prev
	}
	return out
}

// testSearchChanges: what joins a message, goes to another connection or is removed
// is found as it is now.
func testSearchChanges(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	find := func(what string, f store.Filter, n int) {
		t.Helper()
		want(t, what, len(forward(t, s, store.ListRequest{Filter: f})), n)
	}
	join := func(to string) {
		t.Helper()
		_, err := s.Submit(ctx, store.Submission{Now: after(1), Messages: []store.NewMessage{
			letter{at: after(1), to: []string{to}, join: &store.Join{Key: "k", Until: after(60), MaxRecipients: 9}}.message()}})
		must(t, err)
	}
	join("first@example.com")
	index(t, s, 9)
	join("second@example.org")
	for _, a := range []string{"first@example.com", "second@example.org", "@example.org"} {
		find("joined: "+a, store.Filter{Match: part(terms.Recipients, a)}, 1)
	}
	index(t, s, 9)
	find("in the index", store.Filter{Match: part(terms.Recipients, "@example.org")}, 1)

	n := register(t, s, "n", after(100))
	_, moved := submit(t, s, letter{lane: "other", connection: "conn-2", at: after(100)})
	index(t, s, 9)
	for _, c := range claim(t, s, n, after(101), 9) {
		f := accepted(c, after(102))
		if c.Delivery.ID == moved {
			f.Transition.State, f.Transition.NextAt = store.Queued, after(5000)
			f.Transition.Route = &store.Route{Connection: "conn-3", Position: 1, Lane: "third"}
		}
		must(t, s.Finish(ctx, f))
	}
	find("its old connection", store.Filter{Connection: "conn-2"}, 0)
	find("its new connection", store.Filter{Connection: "conn-3"}, 1)
	find("its new connection and a word", store.Filter{Connection: "conn-3", Match: words("fattura")}, 1)

	r, err := purge(ctx, s, store.PurgeRequest{Now: after(1e6), Records: after(50)})
	must(t, err)
	want(t, "removed", r.Records, 1)
	find("removed", store.Filter{Match: part(terms.Recipients, "@example.org")}, 0)
	find("of its connection", store.Filter{Connection: "conn-1"}, 0)
	find("the other", store.Filter{Match: words("fattura")}, 1)
}

// testSearchBounded: what has no index is looked at up to a bound, and the next page goes
// on where it ended, so that each entry is found once.
func testSearchBounded(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	var wanted []store.ID
	for i := range 60 {
		l := letter{at: after(float64(i)), to: []string{"anna@example.com"}}
		if i%20 == 3 {
			l.to = []string{"bruno@example.org"}
		}
		_, d := submit(t, s, l)
		if i%20 == 3 {
			wanted = append(wanted, d)
		}
	}
	not := []terms.Match{{Part: terms.Recipients, Value: "anna@example.com", Not: true}}
	for _, indexed := range []bool{false, true} {
		if indexed {
			index(t, s, 99)
		}
		for _, oldest := range []bool{false, true} {
			var got []store.ID
			r, partial := store.ListRequest{Filter: store.Filter{Match: not}, Limit: 2, Look: 10, Oldest: oldest}, 0
			for {
				p, err := s.List(ctx, r)
				must(t, err)
				for _, e := range p.Entries {
					got = append(got, e.Delivery.ID)
				}
				if p.Partial {
					partial++
					want(t, "a partial page goes on", p.Next != "", true)
				}
				if r.After = p.Next; r.After == "" {
					break
				}
			}
			if !oldest {
				slices.Reverse(got)
			}
			want(t, "found", fmt.Sprint(got), fmt.Sprint(wanted))
			want(t, "partial pages", partial >= 2, true)
		}
	}
	p, err := s.List(ctx, store.ListRequest{Filter: store.Filter{Match: not}})
	must(t, err)
	want(t, "without a bound", fmt.Sprint(len(p.Entries), p.Partial), "3 false")
}
