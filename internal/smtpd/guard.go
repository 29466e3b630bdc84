package smtpd

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// A guard counts failed logins, by address and by name, and blocks either for a
// while. The same wrong secret tried again and again is a device with an old
// password, not a guess: it is delayed, not counted. Who logged in under a name
// from an address before is not locked out by what others try. Safe for
// concurrent use; its memory is bounded.
type guard struct {
	lim  Limits
	seed maphash.Seed

	slots chan struct{} // of secrets that are checked at once

	mu     sync.Mutex
	byAddr map[netip.Addr]*failures
	byName map[uint64]*failures
	good   map[goodKey]time.Time
}

type goodKey struct {
	addr netip.Addr
	name uint64
}

type failures struct {
	count   int       // different ones
	all     int       // repeats too: the delay grows with it
	marks   [8]uint64 // of the last different ones
	last    time.Time
	blocked time.Time     // until
	trying  int           // logins whose secret is being checked
	tried   chan struct{} // closed when one of them is over
}

const (
	guardEntries = 10000 // most of each kind
	guardChecks  = 4     // secrets at once: a few are hashed, the rest wait where they can be sent away
	goodFor      = 24 * time.Hour
)

func newGuard(l Limits) *guard {
	return &guard{lim: l, seed: maphash.MakeSeed(), slots: make(chan struct{}, guardChecks), byAddr: map[netip.Addr]*failures{}, byName: map[uint64]*failures{}, good: map[goodKey]time.Time{}}
}

func (g *guard) name(name string) uint64 { return maphash.String(g.seed, strings.ToLower(name)) }

// isBlocked tells whether the address, or else the name, must wait. mu is held.
func (g *guard) isBlocked(a netip.Addr, name string, now time.Time) (addr, login bool) {
	if g.known(a, name, now) {
		return false, false
	}
	if f := g.byAddr[party(a)]; f != nil && now.Before(f.blocked) {
		return true, false
	}
	f := g.byName[g.name(name)]
	return false, f != nil && now.Before(f.blocked)
}

// enter waits until a login may be checked, and reports whether the address, or
// else the name, is blocked. Logins under way count as the failures that they
// may be: of those that come at once no more are checked than one after the
// other would be. Not ok and not blocked: gone was closed meanwhile. When ok,
// leave must be called.
func (g *guard) enter(gone <-chan struct{}, a netip.Addr, name string) (addr, login, ok bool) {
	for {
		wait, addr, login := g.reserve(a, name, time.Now())
		if addr || login {
			return addr, login, false
		}
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-gone:
			return false, false, false
		}
	}
	select {
	case g.slots <- struct{}{}:
		return false, false, true
	case <-gone:
		g.release(a, name)
		return false, false, false
	}
}

// leave ends what enter began.
func (g *guard) leave(a netip.Addr, name string) {
	<-g.slots
	g.release(a, name)
}

// reserve counts a login that begins; otherwise wait is closed when there may be room.
func (g *guard) reserve(a netip.Addr, name string, now time.Time) (wait <-chan struct{}, addr, login bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	addr, login = g.isBlocked(a, name, now)
	if addr || login {
		return nil, addr, login
	}
	fa := entry(g.byAddr, party(a), now, g.lim.AuthBlock)
	fn := entry(g.byName, g.name(name), now, g.lim.AuthBlock)
	known := g.known(a, name, now)
	for _, x := range [...]struct {
		f    *failures
		most int
	}{{fn, g.lim.NameFails}, {fa, g.lim.AddrFails}} {
		if x.f.trying > 0 && x.f.trying+x.f.count >= x.most {
			if x.f.tried == nil {
				x.f.tried = make(chan struct{})
			}
			return x.f.tried, false, false
		}
		if known {
			break // what others guess from the address is not counted against it
		}
	}
	fa.trying++
	fn.trying++
	return nil, false, false
}

func (g *guard) release(a netip.Addr, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range [...]*failures{g.byAddr[party(a)], g.byName[g.name(name)]} {
		f.trying--
		if f.tried != nil {
			close(f.tried)
			f.tried = nil
		}
	}
}

// known tells whether the name was right from here lately. mu is held.
func (g *guard) known(a netip.Addr, name string, now time.Time) bool {
	t, ok := g.good[goodKey{party(a), g.name(name)}]
	return ok && now.Sub(t) < goodFor
}

// failed counts a failure and gives how long its answer must wait.
func (g *guard) failed(a netip.Addr, name, secret string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	a = party(a)
	n := g.name(name)
	mark := maphash.Comparable(g.seed, [2]uint64{n, maphash.String(g.seed, secret)})
	fa := entry(g.byAddr, a, now, g.lim.AuthBlock)
	fn := entry(g.byName, n, now, g.lim.AuthBlock)
	fa.add(mark, now, g.lim.AddrFails, g.lim.AuthBlock)
	fn.add(mark, now, g.lim.NameFails, g.lim.AuthBlock)
	if fn.count >= g.lim.NameFails {
		delete(g.good, goodKey{a, n}) // somebody there guesses after all
	}
	return g.lim.AuthDelay << min(max(fa.all, fn.all)-1, 4)
}

// succeeded notes a login. The counts stay: one good login must not pay for
// guesses under other names, and a name whose count began again would be told
// by the time of its refusals from one that does not exist.
func (g *guard) succeeded(a netip.Addr, name string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.name(name)
	if len(g.good) >= guardEntries {
		shrink(g.good, func(t time.Time) bool { return now.Sub(t) >= goodFor }, free)
	}
	g.good[goodKey{party(a), n}] = now
}

func (f *failures) add(mark uint64, now time.Time, most int, block time.Duration) {
	f.all++
	f.last = now
	for _, m := range f.marks[:min(f.count, len(f.marks))] {
		if m == mark {
			return
		}
	}
	f.marks[f.count%len(f.marks)] = mark
	if f.count++; f.count >= most {
		f.blocked = now.Add(block)
	}
}

// entry finds or makes a record; one that rested for the window begins again.
func entry[K comparable](m map[K]*failures, k K, now time.Time, window time.Duration) *failures {
	f := m[k]
	if f == nil {
		if len(m) >= guardEntries {
			shrink(m, func(f *failures) bool { return now.Sub(f.last) > window }, func(f *failures) bool { return f.trying > 0 })
		}
		f = &failures{last: now}
		m[k] = f
	} else if now.Sub(f.last) > window && f.trying == 0 {
		*f = failures{last: now}
	}
	return f
}

// shrink drops what is old, and when that is not enough anything but what is in
// use, so much that it is not needed again soon.
func shrink[K comparable, V any](m map[K]V, old, used func(V) bool) {
	for k, v := range m {
		if old(v) && !used(v) {
			delete(m, k)
		}
	}
	for k, v := range m {
		if len(m) < guardEntries*9/10 {
			return
		}
		if !used(v) {
			delete(m, k)
		}
	}
}

// free is for what nobody uses while it is not looked at.
func free[V any](V) bool { return false }
