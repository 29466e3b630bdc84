package app

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/pause"
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
		s.purgePeople(ctx)
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
		Events: before(s.conf.Retention.Events), Hours: began.Add(-store.HoursKept), Max: firstBatch}
	batch := batchOf(s.conf.Database != "")
	var sum store.PurgeResult
	told := began
	report := func(done bool) {
		if sum.Bodies+sum.Records+sum.Events > 0 {
			s.log.Info("removed what retention no longer keeps", "bodies", sum.Bodies, "records", sum.Records, "events", sum.Events,
				"took", time.Since(began).Round(time.Millisecond), "done", done)
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
		var wait time.Duration
		r.Max, wait = batch.next(r.Max, time.Since(start))
		r.After = res.Next
		if time.Since(told) > tellEvery {
			report(false)
			told = time.Now()
		}
		if pause.For(ctx, wait) != nil {
			break
		}
	}
	report(true)
}

// Pauses of the indexing.
const (
	indexPause = time.Second // of new deliveries those of so long go in together
	indexRetry = time.Minute
)

// sumPause is how often it is looked whether an hour is over.
const sumPause = 5 * time.Minute

// sumHours adds up the hours that are over until ctx ends.
func (s *server) sumHours(ctx context.Context) {
	for {
		more, err := s.store.SumHours(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			s.log.Warn("what happened in the last hours cannot be added up: the overview takes longer", "err", err)
		}
		wait := sumPause
		if more && err == nil {
			wait = 100 * time.Millisecond
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// indexSearch keeps the index of words up to date until ctx ends.
func (s *server) indexSearch(ctx context.Context) {
	batch, size := batchOf(s.conf.Database != ""), firstBatch
	for {
		start := time.Now()
		more, err := s.store.IndexSearch(ctx, size)
		wait := indexPause
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("new messages cannot be added to the search index: searches look at them one by one", "err", err)
			wait = indexRetry
		case more:
			size, wait = batch.next(size, time.Since(start))
		case s.conf.Database != "": // they are written with their deliveries
			wait = indexRetry
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// auditBatch is how many entries of the audit trail are removed at once.
const auditBatch = 1000

// purgePeople removes sessions and invitations that have ended, and entries of the
// audit trail that retention no longer keeps.
func (s *server) purgePeople(ctx context.Context) {
	now := time.Now()
	if _, err := s.store.PurgePeople(ctx, now); err != nil && ctx.Err() == nil {
		s.log.Warn("sessions that have ended cannot be removed", "err", err)
	}
	keep := time.Duration(s.conf.Retention.Audit)
	if keep <= 0 {
		return
	}
	for ctx.Err() == nil {
		n, err := s.store.PurgeAudit(ctx, now.Add(-keep), auditBatch)
		if err != nil {
			s.log.Warn("old entries of the audit trail cannot be removed", "err", err)
		}
		if err != nil || n < auditBatch {
			return
		}
	}
}

// A batchPlan is how long one batch may take, and the part of its time for which
// a pause follows: that gives processor and disk back to sending, and under load
// batches take longer, and so do pauses.
type batchPlan struct {
	time  time.Duration
	pause float64
}

// On SQLite, which has one writer, all that is accepted meanwhile waits for a
// batch; on PostgreSQL nothing does, but commits share the log and the disk with
// it (docs/adr/0009).
func batchOf(database bool) batchPlan {
	if database {
		return batchPlan{100 * time.Millisecond, 1}
	}
	return batchPlan{25 * time.Millisecond, 0.5}
}

const (
	firstBatch = 200
	maxBatch   = 5000
	minBatch   = 10
	tellEvery  = time.Minute
)

// next returns the size of the next batch and the pause before it.
func (b batchPlan) next(size int, took time.Duration) (next int, pause time.Duration) {
	next = int(float64(size) * float64(b.time) / float64(max(took, b.time/2)))
	next = min(max(next, size/2, minBatch), maxBatch)
	return next, time.Duration(float64(took) * b.pause)
}
