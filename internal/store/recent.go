package store

import (
	"sync"
	"time"
)

// recentBytes bounds what a Recent holds, recentAge for how long it is given.
const (
	recentBytes = 4 << 20
	recentAge   = time.Minute
)

// A Recent remembers the bytes of small messages from their submission to their
// first reading: most leave at once, and need not be read back from the
// database. The zero value is ready. Safe for concurrent use; what is put in
// must not change any more.
type Recent struct {
	mu    sync.Mutex
	m     map[ID]*recentEntry
	queue []*recentEntry // oldest first; some are taken already
	size  int
}

type recentEntry struct {
	id         ID
	head, body []byte
	at         time.Time
}

// Put remembers a message, and forgets the oldest ones when there are too many.
func (r *Recent) Put(id ID, head, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		r.m = map[ID]*recentEntry{}
	}
	r.remove(r.m[id])
	e := &recentEntry{id, head, body, time.Now()}
	r.m[id] = e
	r.queue = append(r.queue, e)
	r.size += len(head) + len(body)
	for len(r.queue) > 0 && (r.size > recentBytes || len(r.queue) > 2*len(r.m)+64) {
		r.remove(r.queue[0])
		r.queue = r.queue[1:]
	}
}

// Take returns a message once, and only while it is young: what retention
// removes elsewhere must not live on here.
func (r *Recent) Take(id ID) (head, body []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.m[id]
	if e == nil {
		return nil, nil, false
	}
	head, body = e.head, e.body
	r.remove(e)
	if time.Since(e.at) > recentAge {
		return nil, nil, false
	}
	return head, body, true
}

func (r *Recent) remove(e *recentEntry) {
	if e == nil || r.m[e.id] != e {
		return
	}
	r.size -= len(e.head) + len(e.body)
	delete(r.m, e.id)
	e.head, e.body = nil, nil // its place in the queue may last
}
