package people

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// fresh bounds how long an edit by another process stays unseen.
const fresh = 100 * time.Millisecond

// maxCopies bounds how many people and sessions are kept in memory.
const maxCopies = 10_000

// copies are the people and sessions that were asked for, as long as the store's
// version of them is the same. That one is not there is always asked of the store.
type copies struct {
	store store.People
	told  atomic.Bool // the store told of an edit

	mu       sync.Mutex
	looked   time.Time // began then; zero: never, or look again
	version  int64
	people   map[string]store.Person  // by id
	sessions map[string]store.Session // by hash
	filters  []SharedFilter           // where they are known
	known    bool
}

func (c *copies) init(s interface {
	store.People
	OnChange(f func())
}) {
	c.store = s
	c.people, c.sessions = map[string]store.Person{}, map[string]store.Session{}
	s.OnChange(func() { c.told.Store(true) })
}

// forget makes the next call look at the store.
func (c *copies) forget() { c.told.Store(true) }

// look drops what is kept when something has changed since.
func (c *copies) look(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if told := c.told.Swap(false); !told && time.Since(c.looked) < fresh {
		return nil
	}
	now := time.Now()
	v, err := c.store.PeopleVersion(ctx)
	if err != nil {
		c.looked = time.Time{}
		return err
	}
	if v != c.version || len(c.people)+len(c.sessions) > maxCopies {
		clear(c.people)
		clear(c.sessions)
		c.filters, c.known = nil, false
	}
	c.version, c.looked = v, now
	return nil
}

func (c *copies) person(ctx context.Context, id string) (*store.Person, error) {
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	p, ok := c.people[id]
	version := c.version
	c.mu.Unlock()
	if ok {
		return &p, nil
	}
	stored, err := c.store.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == version {
		c.people[id] = *stored
	}
	return stored, nil
}

// session returns the session with the hash. One that seems to have ended is read
// again: another node may have noted a use.
func (c *copies) session(ctx context.Context, hash string, now time.Time) (*store.Session, error) {
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	s, ok := c.sessions[hash]
	version := c.version
	c.mu.Unlock()
	if ok && !s.Ended(now) {
		return &s, nil
	}
	stored, err := c.store.SessionByHash(ctx, hash)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == version { // else it may have been ended since it was read
		c.sessions[hash] = *stored
	}
	return stored, nil
}

// used notes the use of a session that is kept; one that is not may have ended.
func (c *copies) used(s *store.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, kept := c.sessions[s.Hash]; kept {
		c.sessions[s.Hash] = *s
	}
}

// ended drops a session that the store has no longer.
func (c *copies) ended(hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, hash)
}

// shared returns the searches that are shared.
func (c *copies) shared(ctx context.Context) ([]SharedFilter, error) {
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	filters, known, version := c.filters, c.known, c.version
	c.mu.Unlock()
	if known {
		return filters, nil
	}
	all, err := c.store.People(ctx)
	if err != nil {
		return nil, err
	}
	filters = sharedOf(all)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == version {
		c.filters, c.known = filters, true
	}
	return filters, nil
}
