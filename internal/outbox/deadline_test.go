package outbox

import (
	"context"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// unreadableMessages is a store in which records of messages cannot be read.
type unreadableMessages struct {
	store.Store
	of map[store.ID]bool
}

func (s *unreadableMessages) Message(ctx context.Context, id store.ID) (*store.Message, error) {
	if s.of[id] {
		return nil, errRefused
	}
	return s.Store.Message(ctx, id)
}

// Deadlines that cannot be recorded, however many of one moment, do not keep those
// behind them from being seen.
func TestDeadlinesBehindThoseThatFail(t *testing.T) {
	t.Parallel()
	scenario(t, "one moment", func(t *testing.T) {
		w := newWorld(t, conn("a", nil))
		defer w.close()
		c := w.conns["a"]
		until := time.Now().Add(1000 * time.Hour)
		if err := w.store.ChangeLane(t.Context(), time.Now(), c.Lane(c.FromMailbox()), store.LaneChange{PauseUntil: &until}); err != nil {
			t.Fatal(err)
		}
		w.giveUp, w.warn = 10*time.Second, time.Hour
		bad := &unreadableMessages{w.store, map[store.ID]bool{}}
		for range 2*deadlineBatch + 5 {
			d, err := w.store.Delivery(t.Context(), w.submit("a", "x@y.it"))
			if err != nil {
				t.Fatal(err)
			}
			bad.of[d.Message] = true
		}
		w.giveUp += time.Second
		last := w.submit("a", "x@y.it")
		w.run(func(o *Options) { o.Store = bad })
		w.await(last, time.Minute, store.Expired)
	})
}
