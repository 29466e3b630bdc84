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
	blocked time.Time // until
}

const (
	guardEntries = 10000 // most of each kind
	goodFor      = 24 * time.Hour
)

func newGuard(l Limits) *guard {
	return &guard{lim: l, seed: maphash.MakeSeed(), byAddr: map[netip.Addr]*failures{}, byName: map[uint64]*failures{}, good: map[goodKey]time.Time{}}
}

func (g *guard) name(name string) uint64 { return maphash.String(g.seed, strings.ToLower(name)) }

// blocked tells whether the address, or else the name, must wait.
func (g *guard) blocked(a netip.Addr, name string, now time.Time) (addr, login bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a = party(a)
	n := g.name(name)
	if t, ok := g.good[goodKey{a, n}]; ok && now.Sub(t) < goodFor {
		return false, false
	}
	if f := g.byAddr[a]; f != nil && now.Before(f.blocked) {
		return true, false
	}
	f := g.byName[n]
	return false, f != nil && now.Before(f.blocked)
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

// succeeded notes a login. The address's count stays: one good login must not
// pay for guesses under other names.
func (g *guard) succeeded(a netip.Addr, name string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.name(name)
	delete(g.byName, n)
	if len(g.good) >= guardEntries {
		shrink(g.good, func(t time.Time) bool { return now.Sub(t) >= goodFor })
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

// entry finds or makes a record; one that rested for the window begins anew.
func entry[K comparable](m map[K]*failures, k K, now time.Time, window time.Duration) *failures {
	f := m[k]
	if f == nil {
		if len(m) >= guardEntries {
			shrink(m, func(f *failures) bool { return now.Sub(f.last) > window })
		}
		f = new(failures)
		m[k] = f
	} else if now.Sub(f.last) > window {
		*f = failures{}
	}
	return f
}

// shrink drops what is old, and when that is not enough anything, so much that it
// is not needed again soon.
func shrink[K comparable, V any](m map[K]V, old func(V) bool) {
	for k, v := range m {
		if old(v) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < guardEntries*9/10 {
			return
		}
		delete(m, k)
	}
}
