package postgres

import "sync"

// watchers are the caches of this process.
type watchers struct {
	mu sync.Mutex
	f  []func()
}

// OnChange implements store.Store.
func (s *Store) OnChange(f func()) {
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	s.watchers.f = append(s.watchers.f, f)
}

func (w *watchers) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.f {
		f()
	}
}

// edited tells the caches of all nodes that a connection, a client or a key is
// another one.
func (s *Store) edited() {
	s.watchers.tell()
	s.notifier.tellEdit()
}
