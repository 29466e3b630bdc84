package postgres

import (
	"fmt"
	"os"
	"sync"
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
	ctx := b.Context()
	s := open(b, Options{})
	backlog(b, s)
	until := time.Now().Add(24 * time.Hour)
	if err := s.ChangeLane(ctx, time.Now(), "throttled", store.LaneChange{PauseUntil: &until}); err != nil {
		b.Fatal(err)
	}
	o := s.opt
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}

	opened := time.Now()
	s = open(b, Options{URL: o.URL, Dir: o.Dir})
	node, _, err := s.Register(ctx, "n", time.Now(), until)
	if err != nil {
		b.Fatal(err)
	}
	claim := func(b *testing.B, n int) []store.Claimed {
		cc, err := s.Claim(ctx, store.ClaimRequest{Node: node, Now: time.Now(), Max: n})
		if err != nil || len(cc) == 0 {
			b.Fatal(len(cc), err)
		}
		return cc
	}
	claim(b, 1)
	firstClaim := time.Since(opened)
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("max=%d", n), func(b *testing.B) {
			claimed, seen := 0, map[string]bool{}
			for b.Loop() {
				cc := claim(b, n)
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
	b.Run("claim+finish", func(b *testing.B) {
		claimed := 0
		for b.Loop() {
			var wg sync.WaitGroup
			for _, c := range claim(b, 64) {
				claimed++
				wg.Go(func() {
					if err := s.Finish(ctx, benchFinish(c, time.Now())); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(claimed), "µs/delivery")
	})
	queued := store.Filter{States: []store.State{store.Queued}}
	rare := queued
	rare.Lane = "lane-77"
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"stats", func() error { _, err := s.Stats(ctx, time.Now()); return err }},
		{"list", func() error { _, err := s.List(ctx, store.ListRequest{Filter: queued}); return err }},
		{"list of a lane", func() error { _, err := s.List(ctx, store.ListRequest{Filter: rare}); return err }},
		{"deadlines", func() error { _, _, err := s.Deadlines(ctx, time.Now(), 100); return err }},
		{"idle look", func() error {
			_, err := s.Claim(ctx, store.ClaimRequest{Node: node, Now: time.Unix(0, 0), Max: 1})
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// backlog fills s.
func backlog(b *testing.B, s *Store) {
	const lanes, total, chunk, throttled = 10_000, 1_000_000, 2000, 20_000
	start := time.Now()
	parts := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range parts {
				sub := store.Submission{Now: start.Add(time.Duration(i) * time.Microsecond)}
				for j := i; j < i+chunk; j++ {
					lane := fmt.Sprint("lane-", j%lanes)
					if j < throttled {
						lane = "throttled"
					}
					m := benchMessage(lane, []byte("x"), sub.Now)
					m.Deliveries[0].Route.Connection = lane
					sub.Messages = append(sub.Messages, m)
				}
				if _, err := s.Submit(b.Context(), sub); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := 0; i < total && !b.Failed(); i += chunk {
		parts <- i
	}
	close(parts)
	wg.Wait()
	b.Logf("made in %v", time.Since(start))
}
