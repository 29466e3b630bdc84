package api

import (
	"context"
	"log/slog"
	"net/http"
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
	subs map[chan struct{}]string // with the client or key that opened it
}

func newFeed(st store.Events, poll time.Duration, log *slog.Logger) *feed {
	return &feed{store: st, poll: poll, log: log, subs: map[chan struct{}]string{}}
}

// maxStreams bounds how many streams are open at once.
const maxStreams = 200

// join returns a channel that receives when there may be something new. most
// bounds the streams of one owner (quotaKey); it is an error when there are too many already.
func (f *feed) join(owner string, most int) (wake chan struct{}, leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subs) >= maxStreams {
		f := fail(http.StatusServiceUnavailable, "too_many_streams", "",
			text("api.too_many_streams", "too many event streams are open"),
			text("api.too_many_streams_hint", "close some, or read GET /v1/events"))
		f.retryAfter = heartbeat
		return nil, nil, f
	}
	own := 0
	for _, p := range f.subs {
		if p == owner {
			own++
		}
	}
	if own >= most {
		return nil, nil, overQuota(own, text("api.open_streams", "event streams open"), "[limits] streams")
	}
	wake = make(chan struct{}, 1)
	f.subs[wake] = owner
	return wake, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, wake)
	}, nil
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
