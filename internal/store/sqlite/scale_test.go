package sqlite

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// BenchmarkBacklog claims from a store of 10,000 lanes with 1,000,000 queued
// deliveries, 20,000 of them in one lane that is paused, and measures the time
// from opening the store to the first claim. Making the backlog takes minutes:
// POSTINO_BACKLOG=1 asks for it.
func BenchmarkBacklog(b *testing.B) {
	if os.Getenv("POSTINO_BACKLOG") == "" {
		b.Skip("set POSTINO_BACKLOG=1: making a million deliveries takes minutes")
	}
	const lanes, total, chunk = 10_000, 1_000_000, 2000
	ctx := b.Context()
	dir := b.TempDir()
	s := open(b, Options{Dir: dir})
	start := time.Now()
	for i := 0; i < total; i += chunk {
		sub := store.Submission{Now: start.Add(time.Duration(i) * time.Microsecond)}
		for j := i; j < i+chunk; j++ {
			lane := fmt.Sprint("lane-", j%lanes)
			if j < 20_000 {
				lane = "throttled"
			}
			m := benchMessage(lane, []byte("x"), sub.Now)
			m.Deliveries[0].Route.Connection = lane
			sub.Messages = append(sub.Messages, m)
		}
		if _, err := s.Submit(ctx, sub); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("made in %v", time.Since(start))
	until := time.Now().Add(24 * time.Hour)
	if err := s.ChangeLane(ctx, time.Now(), "throttled", store.LaneChange{PauseUntil: &until}); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}

	opened := time.Now()
	s = open(b, Options{Dir: dir})
	node, _, err := s.Register(ctx, "n", time.Now(), until)
	if err != nil {
		b.Fatal(err)
	}
	first, err := s.Claim(ctx, store.ClaimRequest{Node: node, Now: time.Now(), Max: 1})
	if err != nil || len(first) != 1 {
		b.Fatal(len(first), err)
	}
	firstClaim := time.Since(opened)
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("max=%d", n), func(b *testing.B) {
			claimed, seen := 0, map[string]bool{}
			for b.Loop() {
				cc, err := s.Claim(ctx, store.ClaimRequest{Node: node, Now: time.Now(), Max: n})
				if err != nil || len(cc) == 0 {
					b.Fatal(len(cc), err)
				}
				claimed += len(cc)
				for _, c := range cc {
					seen[c.Delivery.Route.Lane] = true
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(claimed), "µs/delivery")
			b.ReportMetric(float64(len(seen)), "lanes")
			b.ReportMetric(float64(firstClaim.Milliseconds()), "ms/first-claim")
		})
	}
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Stats(ctx, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.List(ctx, store.ListRequest{Filter: store.Filter{States: []store.State{store.Queued}}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
