//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// probe measures calls of each kind, with values of other messages each time: of any time
// that the store covers.
func probe(ctx context.Context, st store.Store, o *options) error {
	r := rand.New(rand.NewPCG(3, 4))
	match := func(p terms.Part, v string) store.Filter {
		return store.Filter{Match: []terms.Match{{Part: p, Value: v}}}
	}
	list := func(f store.Filter) func() (int, error) {
		return func() (int, error) {
			p, err := st.List(ctx, store.ListRequest{Filter: f})
			return len(p.Entries), err
		}
	}
	var own []string
	for i := 0; i < o.connections; i += 40 {
		own = append(own, fmt.Sprint("conn-", i))
	}
	page := make([]string, 0, 50)
	for i := range cap(page) {
		page = append(page, fmt.Sprint("conn-", i*7))
	}
	week := func(connections []string, each bool) func() (int, error) {
		return func() (int, error) {
			found, err := st.Hours(ctx, store.HistoryRequest{Since: store.HoursBack(time.Now(), 7*24), Connections: connections, Each: each})
			return len(found), err
		}
	}
	ago := func() time.Time { return time.Now().Add(-time.Duration(r.IntN(o.days*24)) * time.Hour) }
	anyOf := func() *store.Entry {
		for {
			some, err := st.List(ctx, store.ListRequest{Filter: store.Filter{Before: ago()}, Limit: 1})
			if err != nil {
				fmt.Fprintln(os.Stderr, "fill:", err)
				os.Exit(1)
			}
			if len(some.Entries) > 0 {
				return &some.Entries[0]
			}
		}
	}
	word := func() string {
		words := strings.FieldsFunc(anyOf().Message.Subject, func(r rune) bool { return !unicode.IsLetter(r) })
		return words[r.IntN(len(words))]
	}
	for _, k := range []struct {
		name string
		call func() func() (int, error)
	}{
		{"overview of a week, first", func() func() (int, error) { return week(nil, false) }},
		{"hours added up", func() func() (int, error) {
			return func() (int, error) {
				for n := 1; ; n++ {
					if more, err := st.SumHours(ctx, time.Now()); err != nil || !more {
						return n, err
					}
				}
			}
		}},
		{"overview of a week", func() func() (int, error) { return week(nil, false) }},
		{"overview of a week, operator", func() func() (int, error) { return week(own, false) }},
		{"overview, waiting", func() func() (int, error) {
			return func() (int, error) { n, err := st.OnTheirWay(ctx, nil); return int(n), err }
		}},
		{"hours of 50 connections", func() func() (int, error) { return week(page, true) }},
		{"last uses of 50 connections", func() func() (int, error) {
			return func() (int, error) { u, err := st.LastUses(ctx, page); return len(u), err }
		}},
		{"list, newest", func() func() (int, error) { return list(store.Filter{}) }},
		{"list before a date", func() func() (int, error) { return list(store.Filter{Before: ago()}) }},
		{"list between dates", func() func() (int, error) { t := ago(); return list(store.Filter{Since: t, Before: t.Add(time.Hour)}) }},
		{"state failed", func() func() (int, error) { return list(store.Filter{States: []store.State{store.Failed}}) }},
		{"state held", func() func() (int, error) { return list(store.Filter{States: []store.State{store.Held}}) }},
		{"connection", func() func() (int, error) {
			return list(store.Filter{Connection: anyOf().Delivery.Route.Connection})
		}},
		{"connection, failed", func() func() (int, error) {
			return list(store.Filter{Connection: anyOf().Delivery.Route.Connection, States: []store.State{store.Failed}})
		}},
		{"client", func() func() (int, error) { return list(store.Filter{Client: anyOf().Message.Client}) }},
		{"operator of 500 connections", func() func() (int, error) { return list(store.Filter{Among: own}) }},
		{"operator, failed or given up", func() func() (int, error) {
			return list(store.Filter{Among: own, States: []store.State{store.Failed, store.Expired}})
		}},
		{"operator, failed", func() func() (int, error) { return list(store.Filter{Among: own, States: []store.State{store.Failed}}) }},
		{"operator, word", func() func() (int, error) {
			f := match(terms.Anywhere, word())
			f.Among = own
			return list(f)
		}},
		{"sender", func() func() (int, error) {
			return list(match(terms.Sender, anyOf().Message.From.String()))
		}},
		{"recipient", func() func() (int, error) {
			return list(match(terms.Recipients, anyOf().Delivery.Recipients[0].Address.String()))
		}},
		{"domain of recipients", func() func() (int, error) {
			return list(match(terms.Recipients, "@"+anyOf().Delivery.Recipients[0].Address.Domain()))
		}},
		{"Message-ID", func() func() (int, error) { return list(match(terms.MessageID, anyOf().Message.MessageID)) }},
		{"id", func() func() (int, error) { return list(store.Filter{ID: anyOf().Message.ID}) }},
		{"word of every message", func() func() (int, error) { return list(match(terms.Anywhere, "fattura")) }},
		{"word", func() func() (int, error) { return list(match(terms.Anywhere, word())) }},
		{"two words", func() func() (int, error) {
			return list(match(terms.Anywhere, word()+" "+word()))
		}},
		{"word of one message", func() func() (int, error) { return list(match(terms.Subject, fmt.Sprint(r.IntN(1_000_000)))) }},
		{"word that no message has", func() func() (int, error) { return list(match(terms.Anywhere, "inesistente")) }},
		{"beginning of a word", func() func() (int, error) {
			f := match(terms.Subject, beginning(word()))
			f.Match[0].Prefix = true
			return list(f)
		}},
		{"word, connection", func() func() (int, error) {
			f := match(terms.Anywhere, word())
			f.Connection = anyOf().Delivery.Route.Connection
			return list(f)
		}},
		{"word, failed", func() func() (int, error) {
			f := match(terms.Anywhere, word())
			f.States = []store.State{store.Failed}
			return list(f)
		}},
		{"count of a word, up to 1,000", func() func() (int, error) {
			f := match(terms.Anywhere, word())
			return func() (int, error) { c, err := st.Count(ctx, f, 1000); return c.N, err }
		}},
	} {
		if !strings.HasPrefix(k.name, o.only) {
			continue
		}
		var took, used []time.Duration
		found := 0
		for range o.probe {
			call := k.call()
			start, before := time.Now(), processor()
			n, err := call()
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			took, used, found = append(took, time.Since(start)), append(used, processor()-before), found+n
			if len(took) > 5 && time.Since(start) > 5*time.Second {
				break
			}
		}
		at := func(list []time.Duration, p float64) time.Duration {
			slices.Sort(list)
			return list[int(p*float64(len(list)-1))].Round(10 * time.Microsecond)
		}
		fmt.Printf("%-32s p50 %10s  p95 %10s  max %10s  processor p50 %10s  p95 %10s  found %.1f\n", k.name, at(took, 0.5), at(took, 0.95),
			at(took, 1), at(used, 0.5), at(used, 0.95), float64(found)/float64(len(took)))
	}
	return nil
}

// beginning is the first half of a word.
func beginning(word string) string {
	letters := []rune(word)
	return string(letters[:(len(letters)+1)/2])
}

// processor is the processor time that the process has used; of PostgreSQL that is
// the client's part alone.
func processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
