package fallback

import (
	"context"
	"sync"
	"time"
)

// A pool keeps sessions between messages, apart for each mailbox, and bounds
// how many there are: whoever uses or opens one holds a slot.
type pool struct {
	limit  int           // slots a mailbox, 0: no bound
	idle   time.Duration // how long a session is kept; negative: not at all
	maxAge time.Duration
	maxUse int
	now    func() time.Time

	mu     sync.Mutex
	lanes  map[string]*lane
	closed bool
	bye    sync.WaitGroup // goodbyes under way
}

// A lane is the sessions of one mailbox.
type lane struct {
	slots chan struct{} // nil: no bound
	free  []*kept       // the last one is the freshest
	users int           // holders of a slot and waiters
}

type kept struct {
	s     *session
	timer *time.Timer
}

// unboundedIdle is how many sessions an unbounded lane keeps.
const unboundedIdle = 8

// enter waits for a slot of the mailbox. The error is the context's.
func (p *pool) enter(ctx context.Context, user string) (*lane, error) {
	p.mu.Lock()
	l := p.lanes[user]
	if l == nil {
		l = &lane{}
		if p.limit > 0 {
			l.slots = make(chan struct{}, p.limit)
		}
		p.lanes[user] = l
	}
	l.users++
	p.mu.Unlock()
	err := ctx.Err()
	if err == nil && l.slots != nil {
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		p.forget(user, l)
		return nil, err
	}
	return l, nil
}

// leave gives the slot back, and the session with it: nil when it was closed.
func (p *pool) leave(user string, l *lane, s *session) {
	if s != nil && !p.keep(l, s) {
		s.quit()
	}
	if l.slots != nil {
		<-l.slots
	}
	p.forget(user, l)
}

func (p *pool) forget(user string, l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.users--; l.users == 0 && len(l.free) == 0 {
		delete(p.lanes, user)
	}
}

// take gives a kept session, nil when there is none.
func (p *pool) take(l *lane) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(l.free)
	if n == 0 {
		return nil
	}
	k := l.free[n-1]
	l.free = l.free[:n-1]
	k.timer.Stop() // an expiry that runs already finds it gone
	return k.s
}

// keep puts the session back. It reports false when the pool is closed: the
// caller then ends the session itself, because nobody waits for it any more.
func (p *pool) keep(l *lane, s *session) bool {
	now := p.now()
	s.kept, s.used = true, now
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limit
	if limit == 0 {
		limit = unboundedIdle
	}
	if p.closed {
		return false
	}
	if p.idle < 0 || len(l.free) >= limit || s.sent >= p.maxUse || now.Sub(s.born) >= p.maxAge {
		p.dismiss(s)
		return true
	}
	k := &kept{s: s}
	k.timer = time.AfterFunc(p.idle, func() { p.expire(l, k) })
	l.free = append(l.free, k)
	return true
}

func (p *pool) expire(l *lane, k *kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return // close has ended it
	}
	for i := range l.free {
		if l.free[i] == k {
			l.free = append(l.free[:i], l.free[i+1:]...)
			p.dismiss(k.s)
			break
		}
	}
	if l.users == 0 && len(l.free) == 0 && p.lanes[k.s.user] == l {
		delete(p.lanes, k.s.user)
	}
}

// part ends a session that is not in the pool, without making anybody wait
// unless the pool is closed.
func (p *pool) part(s *session) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.dismiss(s)
	}
	p.mu.Unlock()
	if closed {
		s.quit()
	}
}

// dismiss ends a session politely without making anybody wait. mu is held.
func (p *pool) dismiss(s *session) { p.bye.Go(s.quit) }

// close ends the kept sessions and keeps none from now on.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for user, l := range p.lanes {
		for _, k := range l.free {
			k.timer.Stop()
			p.dismiss(k.s)
		}
		l.free = nil
		if l.users == 0 {
			delete(p.lanes, user)
		}
	}
	p.mu.Unlock()
	p.bye.Wait()
}
