package smtpd

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestAuthLimiter(t *testing.T) {
	t.Parallel()
	lim := Limits{AuthDelay: 100 * time.Millisecond, AuthBlock: 15 * time.Minute, AddrFails: 3, NameFails: 5}
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	want := func(t *testing.T, g *authLimiter, a netip.Addr, name string, now time.Time, addr, login bool) {
		t.Helper()
		if x, y := g.isBlocked(a, name, now); x != addr || y != login {
			t.Errorf("%s as %s: blocked %v %v, want %v %v", a, name, x, y, addr, login)
		}
	}
	t.Run("address", func(t *testing.T) {
		t.Parallel()
		g := newAuthLimiter(lim)
		for i := range 3 {
			want(t, g, here, "erp", start, false, false)
			g.failed(here, fmt.Sprint("user", i), "x", start)
		}
		want(t, g, here, "erp", start, true, false)
		want(t, g, there, "erp", start, false, false)
		want(t, g, here, "erp", start.Add(16*time.Minute), false, false)
	})
	t.Run("name from many addresses", func(t *testing.T) {
		t.Parallel()
		g := newAuthLimiter(lim)
		g.succeeded(here, "erp", start)
		for i := range 5 {
			g.failed(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), "ERP", fmt.Sprint(i), start)
		}
		want(t, g, there, "erp", start, false, true)
		want(t, g, here, "erp", start, false, false) // it was right from here before
		want(t, g, here, "erp", start.Add(25*time.Hour), false, false)
	})
	t.Run("a known address that guesses loses its trust", func(t *testing.T) {
		t.Parallel()
		g := newAuthLimiter(lim)
		g.succeeded(here, "erp", start)
		for i := range 5 {
			g.failed(here, "erp", fmt.Sprint(i), start)
		}
		want(t, g, here, "erp", start, true, false)
	})
	t.Run("the delay grows to its bound and repeats are not counted", func(t *testing.T) {
		t.Parallel()
		g := newAuthLimiter(lim)
		var got []time.Duration
		for range 7 {
			got = append(got, g.failed(here, "erp", "old", start))
		}
		if fmt.Sprint(got) != "[100ms 200ms 400ms 800ms 1.6s 1.6s 1.6s]" {
			t.Errorf("delays %v", got)
		}
		want(t, g, here, "erp", start, false, false)
	})
	t.Run("memory is bounded", func(t *testing.T) {
		t.Parallel()
		g := newAuthLimiter(lim)
		for i := range limiterEntries + 2000 {
			a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			g.failed(a, fmt.Sprint(i), "x", start)
			g.succeeded(a, fmt.Sprint("y", i), start)
		}
		if len(g.byAddr) > limiterEntries || len(g.byName) > limiterEntries || len(g.recentLogins) > limiterEntries {
			t.Errorf("%d addresses, %d names, %d good", len(g.byAddr), len(g.byName), len(g.recentLogins))
		}
	})
}

func TestRateLimiter(t *testing.T) {
	t.Parallel()
	p := newRateLimiter(2)
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := netip.MustParseAddr("192.0.2.1")
	for i, want := range []bool{true, true, false} {
		if got := p.allow(a, now); got != want {
			t.Errorf("message %d: %v", i, got)
		}
	}
	if !p.allow(netip.MustParseAddr("192.0.2.2"), now) {
		t.Error("another address pays for the first")
	}
	if !p.allow(a, now.Add(30*time.Second)) || p.allow(a, now.Add(30*time.Second)) {
		t.Error("half a minute is one message of two a minute")
	}
	for i := range limiterEntries + 2000 {
		p.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(p.buckets) > limiterEntries {
		t.Errorf("%d buckets", len(p.buckets))
	}
	if !newRateLimiter(0).allow(a, now) {
		t.Error("no limit is no limit")
	}
}
