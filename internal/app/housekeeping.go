package app

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// Pauses of the housekeeping.
const (
	firstRound = time.Minute
	nextRound  = time.Hour
	sweepAge   = time.Hour // a spool file without a row and older than this is a leaving
)

// keepHouse applies the retention rules and removes leavings until ctx ends.
func (s *server) keepHouse(ctx context.Context) {
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
			s.log.Warn("leavings in the spool cannot be removed", "err", err)
		} else if n > 0 {
			s.log.Info("removed leavings in the spool", "files", n)
		}
		t.Reset(nextRound)
	}
}

func (s *server) purge(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		before := func(d config.Duration) time.Time {
			if d <= 0 {
				return time.Time{}
			}
			return now.Add(-time.Duration(d))
		}
		r, err := s.store.Purge(ctx, store.PurgeRequest{Now: now, Bodies: before(s.conf.Retention.Bodies), Records: before(s.conf.Retention.Records), Events: before(s.conf.Retention.Events)})
		if err != nil {
			s.log.Warn("old messages cannot be removed", "err", err)
			return
		}
		if r.Bodies+r.Records+r.Events > 0 {
			s.log.Info("removed what retention no longer keeps", "bodies", r.Bodies, "records", r.Records, "events", r.Events)
		}
		if !r.More {
			return
		}
	}
}
