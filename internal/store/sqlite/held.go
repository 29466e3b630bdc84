package sqlite

import (
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// held is what is known of the rows that every message changes: as the database
// has them, with what the transaction has changed. It stays from one transaction
// to the next while no one else writes, and goes with a rollback.
type held struct {
	lanes     map[int64]*lane
	keys      map[string]*lane
	subqueues map[int64]*subqueue
	names     map[subqueueName]*subqueue
	leased    map[store.ID]*deliveryRow
	nodes     map[string]int64 // incarnations
	// When the first subqueue of a lane is ready, how often a lane was served, and
	// when a subqueue is ready, as they are written.
	first, served, ready map[int64]int64
	// When the first of all lanes is ready, as it is written; 0: not known.
	next int64
}

// heldMax bounds how many of each are held.
const heldMax = 20_000

func newHeld() *held {
	return &held{lanes: map[int64]*lane{}, keys: map[string]*lane{}, subqueues: map[int64]*subqueue{}, names: map[subqueueName]*subqueue{},
		leased: map[store.ID]*deliveryRow{}, nodes: map[string]int64{},
		first: map[int64]int64{}, served: map[int64]int64{}, ready: map[int64]int64{}}
}

func (h *held) full() bool {
	return max(len(h.lanes), len(h.subqueues), len(h.leased), len(h.nodes)) > heldMax
}

// forget forgets what statements of the engine's own may change.
func (h *held) forget() {
	clear(h.leased)
	clear(h.nodes)
	h.next = 0
}

// readyAt is when a claim may find something in the subqueue, its turn regarded.
func readyAt(f *subqueue) int64 {
	if f.Due == engine.Never() {
		return engine.Never()
	}
	return max(f.Due, f.NotBefore, f.Turn)
}

// firstReady is when the first lane is ready, as it is written.
func (t *tx) firstReady() (int64, error) {
	if t.next == 0 {
		if err := t.Row(`SELECT coalesce(min(ready_at), ?) FROM lanes`, []any{engine.Never()}, &t.next); err != nil {
			return 0, err
		}
	}
	return t.next, nil
}
