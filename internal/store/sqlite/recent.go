package sqlite

import (
	"sync"

	"github.com/postino-mail/postino/internal/store"
)

// recentBytes bounds what is remembered of messages just stored.
const recentBytes = 4 << 20

// recent remembers the bytes of small messages from their submission to their
// first reading: most leave at once, and need not be read back from the
// database. Safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	m     map[store.ID]recentEntry
	queue []store.ID // oldest first; some are taken already
	size  int
}

type recentEntry struct{ head, body []byte }

func (r *recent) put(id store.ID, head, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		r.m = map[store.ID]recentEntry{}
	}
	r.m[id] = recentEntry{head, body}
	r.queue = append(r.queue, id)
	r.size += len(head) + len(body)
	for len(r.queue) > 0 && (r.size > recentBytes || len(r.queue) > 2*len(r.m)+64) {
		r.remove(r.queue[0])
		r.queue = r.queue[1:]
	}
}

// take gives the bytes once.
func (r *recent) take(id store.ID) (recentEntry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.m[id]
	r.remove(id)
	return e, ok
}

func (r *recent) remove(id store.ID) {
	if e, ok := r.m[id]; ok {
		r.size -= len(e.head) + len(e.body)
		delete(r.m, id)
	}
}
