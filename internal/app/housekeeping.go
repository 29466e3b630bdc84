package app

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// Pauses of the maintenance.
const (
	firstRound = time.Minute
	nextRound  = time.Hour
	sweepAge   = time.Hour // a spool file without a row and older than this is orphaned
)

// maintain applies the retention rules and removes orphaned files until ctx ends.
func (s *server) maintain(ctx context.Context) {
	t := time.NewTimer(firstRound)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s.purge(ctx)
		if n, err := s.store.Sweep(ctx, sweepAge); err != nil {
			s.log.Warn("orphaned files in the spool cannot be removed", "err", err)
		} else if n > 0 {
			s.log.Info("removed orphaned files in the spool", "files", n)
		}
		t.Reset(nextRound)
	}
}

// purge is one round of the retention rules.
func (s *server) purge(ctx context.Context) {
	began := time.Now()
	before := func(d config.Duration) time.Time {
		if d <= 0 {
			return time.Time{}
		}
		return began.Add(-time.Duration(d))
	}
	r := store.PurgeRequest{Now: began, Bodies: before(s.conf.Retention.Bodies), Records: before(s.conf.Retention.Records),
		Events: before(s.conf.Retention.Events), Max: firstBatch}
	batchTime := batchOfOneWriter
	if s.conf.Database != "" {
		batchTime = batchOfDatabase
	}
	var sum store.PurgeResult
	told := began
	report := func(message string) {
		if sum.Bodies+sum.Records+sum.Events > 0 {
			s.log.Info(message, "bodies", sum.Bodies, "records", sum.Records, "events", sum.Events,
				"took", time.Since(began).Round(time.Millisecond))
		}
	}
	for {
		start := time.Now()
		res, err := s.store.Purge(ctx, r)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("old messages cannot be removed", "err", err)
			}
			break
		}
		sum.Bodies, sum.Records, sum.Events = sum.Bodies+res.Bodies, sum.Records+res.Records, sum.Events+res.Events
		if !res.More {
			break
		}
		var pause time.Duration
		r.Max, pause = nextBatch(r.Max, time.Since(start), batchTime)
		r.After = res.Next
		if time.Since(told) > tellEvery {
			report("removing what retention no longer keeps")
			told = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	report("removed what retention no longer keeps")
}

// A batch is as large as fits its time. On SQLite, which has one writer, all that
// is accepted meanwhile waits for it; on PostgreSQL nothing does, and the time
// bounds what one commit writes. The pause after it gives processor and disk
// back for half as long; under load batches take longer, and so do pauses.
const (
	firstBatch       = 200
	maxBatch         = 5000
	minBatch         = 10
	batchOfOneWriter = 25 * time.Millisecond
	batchOfDatabase  = 250 * time.Millisecond
	tellEvery        = time.Minute
)

// nextBatch returns the size of the next batch and the pause before it.
func nextBatch(size int, took, batchTime time.Duration) (next int, pause time.Duration) {
	next = int(float64(size) * float64(batchTime) / float64(max(took, batchTime/2)))
	next = min(max(next, size/2, minBatch), maxBatch)
	return next, took / 2
}
