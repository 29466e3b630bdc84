package fallback

import (
	"context"
	"slices"
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
	most   map[string]learnt // of a mailbox that showed a limit of its server
	closed bool
	bye    sync.WaitGroup // goodbyes under way
}

// A lane is the sessions of one mailbox.
type lane struct {
	slots chan struct{} // nil: no bound
	free  []*kept       // the last one is the freshest
	users int           // holders of a slot and waiters
}

// A learnt is how many messages the server lets one session carry.
type learnt struct {
	messages int
	until    time.Time
}

// How long a learnt limit counts, and for how many mailboxes it is kept.
const (
	learntFor  = time.Hour
	learntMost = 1000
)

// learn remembers that the server refuses a session of user after messages.
func (p *pool) learn(user string, messages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for u, l := range p.most {
		if !now.Before(l.until) {
			delete(p.most, u)
		}
	}
	if p.most == nil {
		p.most = make(map[string]learnt)
	}
	if len(p.most) < learntMost {
		p.most[user] = learnt{messages, now.Add(learntFor)}
	}
}

// mayCarry is how many messages a session of user may carry; mu is held.
func (p *pool) mayCarry(user string, now time.Time) int {
	if l, ok := p.most[user]; ok && now.Before(l.until) {
		return min(l.messages, p.maxUse)
	}
	return p.maxUse
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
// A session that is not kept says goodbye before its slot is free, so that the
// provider never sees more connections than slots; no one waits for that.
func (p *pool) leave(user string, l *lane, s *session) {
	if s == nil || p.keep(l, s) {
		p.free(user, l)
		return
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.goodbye(user, l, s)
	}
	p.mu.Unlock()
	if closed { // close waits for no more goodbyes
		s.quit()
		p.free(user, l)
	}
}

// goodbye ends a session in the background and frees its slot. mu is held.
func (p *pool) goodbye(user string, l *lane, s *session) {
	p.bye.Go(func() {
		s.quit()
		p.free(user, l)
	})
}

func (p *pool) free(user string, l *lane) {
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

// take returns a kept session, nil when there is none.
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

// keep puts the session back, and reports whether it did.
func (p *pool) keep(l *lane, s *session) bool {
	now := p.now()
	s.kept, s.used = true, now
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limit
	if limit == 0 {
		limit = unboundedIdle
	}
	if p.closed || p.idle < 0 || len(l.free) >= limit || s.sent >= p.mayCarry(s.user, now) || now.Sub(s.born) >= p.maxAge {
		return false
	}
	k := &kept{s: s}
	k.timer = time.AfterFunc(p.idle, func() { p.expire(l, k) })
	l.free = append(l.free, k)
	return true
}

// expire ends a session that no one wanted for a while. It takes a slot for
// the goodbye; where none is free, someone is about to take the session.
func (p *pool) expire(l *lane, k *kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(l.free, k)
	if p.closed || i < 0 {
		return
	}
	if l.slots != nil {
		select {
		case l.slots <- struct{}{}:
		default:
			k.timer.Reset(p.idle)
			return
		}
	}
	l.users++
	l.free = slices.Delete(l.free, i, i+1)
	p.goodbye(k.s.user, l, k.s)
}

// close ends the kept sessions and keeps none from now on. Sends in flight go on.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for user, l := range p.lanes {
		for _, k := range l.free {
			k.timer.Stop()
			p.bye.Go(k.s.quit)
		}
		l.free = nil
		if l.users == 0 {
			delete(p.lanes, user)
		}
	}
	p.mu.Unlock()
	p.bye.Wait()
}
