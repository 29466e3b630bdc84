package differential

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/corpus"
)

const (
	// generated is the least; POSTINO_DIFFERENTIAL asks for more.
	generated = 2100
	// everyNth goes through all entry points, not through three of them.
	everyNth = 25
)

// TestDifferential sends every message over all three routes, each by another
// entry point, and some by all of them.
func TestDifferential(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("needs python3 and a minute or two: set POSTINO_PEERS=1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	start := time.Now()
	n := generated
	if more := os.Getenv("POSTINO_DIFFERENTIAL"); more != "" {
		var err error
		if n, err = strconv.Atoi(more); err != nil || n < generated {
			t.Fatalf("POSTINO_DIFFERENTIAL=%q is no number of messages from %d", more, generated)
		}
	}
	samples := generate(n)
	senders := []string{"sender@diff.example", "a@diff.example", "b@diff.example", "other@diff.example"}
	messageID := regexp.MustCompile(`(?im)^(Message-ID:\s*<)`)
	for name, want := range corpus.Index(t) {
		// The same Message-ID and body again at once is the same message again.
		samples = append(samples, sample{raw: messageID.ReplaceAllString(string(corpus.Raw(t, name)), "${1}KEY."),
			kinds: []string{"corpus=" + strings.TrimSuffix(name, ".eml")}, foreign: true, loose: true})
		senders = append(senders, want.From...)
	}
	slices.SortFunc(samples[n:], func(a, b sample) int { return strings.Compare(a.kinds[0], b.kinds[0]) })
	slices.Sort(senders)
	w := newWorld(t, slices.Compact(senders))
	all := plan(samples)
	inputs := make([][]byte, len(all))
	for i, s := range all {
		inputs[i] = s.raw
	}
	before := python(t, inputs)
	t.Logf("%d messages, %d submissions; the parser is done after %v", len(samples), len(all), time.Since(start).Round(time.Second))
	var wg sync.WaitGroup
	work := make(chan int)
	for range 6 {
		wg.Go(func() {
			for n := range work {
				// Those of one message one after the other: without a Message-ID
				// of their own they would be taken for one that is sent again.
				// Files are taken some time later, so they come last.
				for _, late := range []bool{false, true} {
					for i, s := range all {
						if s.sample != n || late != (s.entry == byPickup) {
							continue
						}
						if !fromHeader(s.entry) {
							s.envelope = envelope(samples[n], before[i])
						}
						w.submit(ctx, s)
					}
				}
			}
		})
	}
	for n := range samples {
		work <- n
	}
	close(work)
	wg.Wait()
	t.Logf("submitted after %v", time.Since(start).Round(time.Second))
	w.settle(ctx, t)
	t.Logf("sent after %v", time.Since(start).Round(time.Second))
	judge(t, w, samples, all, before, w.failures(ctx, t), w.received(t))
	t.Logf("compared after %v", time.Since(start).Round(time.Second))
}

// plan says which message goes where, and how.
func plan(samples []sample) (all []*submission) {
	for i, s := range samples {
		routes := []string{graphRoute, gmailRoute, []string{smtpRoute, oldSMTP}[i/len(entries())%2]}
		for r, route := range routes {
			all = append(all, s.submission(i, route, entries()[(i+r*2+i/len(entries()))%len(entries())]))
		}
		if i%everyNth == 0 {
			for e, entry := range entries() {
				all = append(all, s.submission(i, []string{graphRoute, gmailRoute, smtpRoute, oldSMTP}[(e+i)%4], entry))
			}
		}
	}
	for n, s := range all {
		s.key = fmt.Sprintf("k%05d", n)
		s.raw = []byte(strings.ReplaceAll(string(s.raw), "KEY", s.key))
		fields := keyField + ": " + s.key + "\r\n"
		if s.entry != bySend {
			fields += "X-Postino-Connection: " + s.route + "\r\n"
		}
		s.raw = withFields(s.raw, fields)
	}
	return all
}

func (s sample) submission(i int, route, entry string) *submission {
	return &submission{sample: i, route: route, entry: entry, raw: []byte(s.raw)}
}

// envelope is what a program that speaks SMTP would name: the recipients that
// the parser finds and that the message really holds.
func envelope(s sample, in seen) (list []string) {
	for _, a := range slices.Concat(in.To, in.Cc, in.Bcc) {
		if (s.foreign || slices.Contains(s.holds, a)) && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if len(list) > 2 { // somebody whom the header shows and the envelope does not
		list = list[1:]
	}
	if len(list) == 0 {
		list = []string{"hidden@example.org"}
	}
	return list
}

func judge(t *testing.T, w *world, samples []sample, all []*submission, before []seen, failed map[string]refusal,
	arrived map[string][]arrival) {
	t.Helper()
	var outputs [][]byte
	at := map[string]int{}
	for key, list := range arrived {
		// Many recipients leave in several transactions, each once.
		var mailed []string
		for _, a := range list {
			mailed = append(mailed, a.delivery.Recipients...)
		}
		if len(set(mailed)) != len(mailed) {
			t.Errorf("%q arrived twice: %q", key, mailed)
		}
		list[0].delivery.Recipients = set(mailed)
		at[key] = len(outputs)
		outputs = append(outputs, []byte(list[0].raw))
	}
	after := python(t, outputs)
	refused, used := 0, map[string]bool{}
	for i, s := range all {
		one := samples[s.sample]
		name := fmt.Sprintf("%s %s over %s by %s", s.key, strings.Join(one.kinds, " "), s.route, s.entry)
		if s.entry == byPickup && s.err == nil {
			s.err = w.pickedUp(s.key)
		}
		if f, ok := failed[s.key]; ok && s.err == nil {
			s.err = f
		}
		list := arrived[s.key]
		if s.err != nil {
			refused++
			var r refusal
			switch {
			case !errors.As(s.err, &r) || !r.clear():
				t.Errorf("%s: refused without a reason: %v", name, s.err)
			case !one.loose && !explained(one.kinds, "refused", used):
				t.Errorf("%s: well-made mail is refused: %v", name, s.err)
			case len(list) > 0:
				t.Errorf("%s: refused and sent: %v", name, s.err)
			}
			continue
		}
		if len(list) == 0 {
			t.Errorf("%s: lost", name)
			continue
		}
		in, out, d := before[i], after[at[s.key]], list[0].delivery
		if in.Error != "" || out.Error != "" {
			if !explained(one.kinds, "parser", used) {
				t.Errorf("%s: the parser fails: before %q, after %q", name, in.Error, out.Error)
			}
			continue
		}
		holds := slices.Concat(one.holds, []string{"hidden@example.org", s.sender()})
		if one.foreign {
			holds = slices.Concat(holds, in.From, in.Sender, in.ReplyTo, in.To, in.Cc, in.Bcc, in.Resent)
		}
		if made := invented(d, in, out, holds); len(made) > 0 && !explained(one.kinds, "invented", used) {
			t.Errorf("%s: invented %q", name, made)
		}
		for _, diff := range compare(s, in, d, out) {
			if !explained(one.kinds, diff.aspect, used) {
				t.Errorf("%s: %s: %s", name, diff.aspect, diff.text)
			}
		}
	}
	t.Logf("%d of %d submissions were refused", refused, len(all))
	if refused*3 > len(all) {
		t.Error("too many to prove anything")
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if !used[key] {
			t.Errorf("the table explains %s, which did not happen", key)
		}
	}
}
