package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A feed wakes the streams of events when there are new ones: one look at the
// store for any number of them.
type feed struct {
	store store.Events
	poll  time.Duration
	log   *slog.Logger

	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

func newFeed(st store.Events, poll time.Duration, log *slog.Logger) *feed {
	return &feed{store: st, poll: poll, log: log, subs: map[chan struct{}]struct{}{}}
}

// maxStreams bounds how many streams are open at once.
const maxStreams = 200

// join gives a channel that receives when there may be something new; ok is
// false when there are too many already.
func (f *feed) join() (wake chan struct{}, leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subs) >= maxStreams {
		return nil, nil, false
	}
	wake = make(chan struct{}, 1)
	f.subs[wake] = struct{}{}
	return wake, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, wake)
	}, true
}

func (f *feed) run(ctx context.Context) {
	t := time.NewTicker(f.poll)
	defer t.Stop()
	var seen int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		f.mu.Lock()
		n := len(f.subs)
		f.mu.Unlock()
		if n == 0 {
			continue
		}
		last, err := f.store.LastEvent(ctx)
		if err != nil {
			f.log.Warn("events cannot be read", "err", err)
			continue
		}
		if last == seen {
			continue
		}
		seen = last
		f.mu.Lock()
		for wake := range f.subs {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
		f.mu.Unlock()
	}
}
