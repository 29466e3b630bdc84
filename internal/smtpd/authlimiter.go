package smtpd

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// An authLimiter counts failed logins, by address and by name, and blocks either
// for a while. The same wrong secret tried again and again is a device with an
// old password, not a guess: it is delayed, not counted. A client that logged in
// from an address lately is not locked out by what others try. Safe for
// concurrent use; its memory is bounded.
type authLimiter struct {
	limits Limits
	seed   maphash.Seed

	slots chan struct{} // for secrets that are checked at the same time

	mu           sync.Mutex
	byAddr       map[netip.Addr]*failures
	byName       map[uint64]*failures
	recentLogins map[loginKey]time.Time
}

type loginKey struct {
	addr netip.Addr
	name uint64
}

type failures struct {
	distinct     int       // different secrets
	total        int       // with repeats: the delay grows with it
	marks        [8]uint64 // hashes of the last different ones
	last         time.Time
	blockedUntil time.Time
	checking     int           // logins with a secret that is being checked
	checked      chan struct{} // closed when one of these checks ends
}

const (
	limiterEntries  = 10000 // at most, of each map
	maxSecretChecks = 4     // at the same time: the others wait where their session can still be closed
	loginRemembered = 24 * time.Hour
)

func newAuthLimiter(l Limits) *authLimiter {
	return &authLimiter{limits: l, seed: maphash.MakeSeed(), slots: make(chan struct{}, maxSecretChecks), byAddr: map[netip.Addr]*failures{},
		byName: map[uint64]*failures{}, recentLogins: map[loginKey]time.Time{}}
}

func (g *authLimiter) hashName(name string) uint64 {
	return maphash.String(g.seed, strings.ToLower(name))
}

// isBlocked reports whether the address, or else the name, must wait. mu is held.
func (g *authLimiter) isBlocked(a netip.Addr, name string, now time.Time) (addr, login bool) {
	if g.loggedInLately(a, name, now) {
		return false, false
	}
	if f := g.byAddr[limitKey(a)]; f != nil && now.Before(f.blockedUntil) {
		return true, false
	}
	f := g.byName[g.hashName(name)]
	return false, f != nil && now.Before(f.blockedUntil)
}

// begin waits until a login may be checked, and reports whether the address, or
// else the name, is blocked. Logins under way count as failures until they are
// checked, so that many at the same time get no more guesses than one after the
// other. Not ok and not blocked: gone was closed meanwhile. When ok, end must be
// called.
func (g *authLimiter) begin(gone <-chan struct{}, a netip.Addr, name string) (addr, login, ok bool) {
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

// end ends what enter began.
func (g *authLimiter) end(a netip.Addr, name string) {
	<-g.slots
	g.release(a, name)
}

// reserve counts a login that begins. When it may not begin yet, wait is closed
// as soon as it may try again.
func (g *authLimiter) reserve(a netip.Addr, name string, now time.Time) (wait <-chan struct{}, addr, login bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	addr, login = g.isBlocked(a, name, now)
	if addr || login {
		return nil, addr, login
	}
	fa := entry(g.byAddr, limitKey(a), now, g.limits.AuthBlock)
	fn := entry(g.byName, g.hashName(name), now, g.limits.AuthBlock)
	known := g.loggedInLately(a, name, now)
	for _, x := range [...]struct {
		f    *failures
		most int
	}{{fn, g.limits.NameFails}, {fa, g.limits.AddrFails}} {
		if x.f.checking > 0 && x.f.checking+x.f.distinct >= x.most {
			if x.f.checked == nil {
				x.f.checked = make(chan struct{})
			}
			return x.f.checked, false, false
		}
		if known {
			break // what others guess from its address does not count against it
		}
	}
	fa.checking++
	fn.checking++
	return nil, false, false
}

func (g *authLimiter) release(a netip.Addr, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range [...]*failures{g.byAddr[limitKey(a)], g.byName[g.hashName(name)]} {
		f.checking--
		if f.checked != nil {
			close(f.checked)
			f.checked = nil
		}
	}
}

// loggedInLately reports whether the name logged in from the address lately. mu is held.
func (g *authLimiter) loggedInLately(a netip.Addr, name string, now time.Time) bool {
	t, ok := g.recentLogins[loginKey{limitKey(a), g.hashName(name)}]
	return ok && now.Sub(t) < loginRemembered
}

// failed counts a failure and returns how long its reply must wait.
func (g *authLimiter) failed(a netip.Addr, name, secret string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	a = limitKey(a)
	n := g.hashName(name)
	mark := maphash.Comparable(g.seed, [2]uint64{n, maphash.String(g.seed, secret)})
	fa := entry(g.byAddr, a, now, g.limits.AuthBlock)
	fn := entry(g.byName, n, now, g.limits.AuthBlock)
	fa.add(mark, now, g.limits.AddrFails, g.limits.AuthBlock)
	fn.add(mark, now, g.limits.NameFails, g.limits.AuthBlock)
	if fn.distinct >= g.limits.NameFails {
		delete(g.recentLogins, loginKey{a, n}) // someone at that address guesses after all
	}
	return g.limits.AuthDelay << min(max(fa.total, fn.total)-1, 4)
}

// succeeded remembers a login. The counts stay: a valid login must not reset them
// for guesses under other names, and a name with a count that began again could be
// distinguished, by the delay of its refusals, from one that does not exist.
func (g *authLimiter) succeeded(a netip.Addr, name string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.hashName(name)
	if len(g.recentLogins) >= limiterEntries {
		shrink(g.recentLogins, func(t time.Time) bool { return now.Sub(t) >= loginRemembered }, neverUsed)
	}
	g.recentLogins[loginKey{limitKey(a), n}] = now
}

func (f *failures) add(mark uint64, now time.Time, most int, block time.Duration) {
	f.total++
	f.last = now
	for _, m := range f.marks[:min(f.distinct, len(f.marks))] {
		if m == mark {
			return
		}
	}
	f.marks[f.distinct%len(f.marks)] = mark
	if f.distinct++; f.distinct >= most {
		f.blockedUntil = now.Add(block)
	}
}

// entry finds or makes a record; one without failures for the window starts again.
func entry[K comparable](m map[K]*failures, k K, now time.Time, window time.Duration) *failures {
	f := m[k]
	if f == nil {
		if len(m) >= limiterEntries {
			shrink(m, func(f *failures) bool { return now.Sub(f.last) > window }, func(f *failures) bool { return f.checking > 0 })
		}
		f = &failures{last: now}
		m[k] = f
	} else if now.Sub(f.last) > window && f.checking == 0 {
		*f = failures{last: now}
	}
	return f
}

// shrink drops old entries, and when that is not enough any that are not in use,
// until a tenth is free.
func shrink[K comparable, V any](m map[K]V, old, used func(V) bool) {
	for k, v := range m {
		if old(v) && !used(v) {
			delete(m, k)
		}
	}
	for k, v := range m {
		if len(m) < limiterEntries*9/10 {
			return
		}
		if !used(v) {
			delete(m, k)
		}
	}
}

// neverUsed is for entries that are only used under the lock.
func neverUsed[V any](V) bool { return false }
