package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How many wrong credentials an address may send: this many at once, then one
// each interval.
const (
	failuresAtOnce  = 10
	failureInterval = 6 * time.Second
	maxGuarded      = 10_000
)

// A guard counts wrong credentials by address. Safe for concurrent use.
type guard struct {
	now func() time.Time

	mu sync.Mutex
	at map[netip.Addr]time.Time // when the debt of an address is paid
}

func newGuard(now func() time.Time) *guard { return &guard{now: now, at: map[netip.Addr]time.Time{}} }

// network is what one attacker has at hand: an IPv6 subscriber has a /64.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// blocked is how long the address must wait; 0: it may try.
func (g *guard) blocked(a netip.Addr) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wait(network(a), g.now())
}

func (g *guard) wait(a netip.Addr, now time.Time) time.Duration {
	paid := g.at[a]
	if !paid.After(now) {
		return 0
	}
	return max(0, paid.Sub(now)-failuresAtOnce*failureInterval)
}

// failed counts one failure and says as blocked does whether it was one too many.
func (g *guard) failed(a netip.Addr) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	a = network(a)
	now := g.now()
	if len(g.at) >= maxGuarded {
		for k, t := range g.at {
			if !t.After(now) {
				delete(g.at, k)
			}
		}
		if len(g.at) >= maxGuarded { // a flood from everywhere: start anew rather than grow
			clear(g.at)
		}
	}
	if over := g.wait(a, now); over > 0 {
		return over
	}
	t := g.at[a]
	if t.Before(now) {
		t = now
	}
	g.at[a] = t.Add(failureInterval)
	return g.wait(a, now)
}

// sameSite refuses what a browser sends on behalf of another site (Fetch
// Metadata, RFC 6454 origins) and under a name that is not this server's (DNS
// rebinding). Programs that are no browsers send none of these headers.
func sameSite(r *http.Request, hostname string) error {
	refused := fail(http.StatusForbidden, "cross_site", "", "a web page of another site sent this request, or it came under a host name that is not this server's",
		"la richiesta viene da una pagina di un altro sito, o con un nome host che non è di questo server", "use an API key", "usare una chiave API")
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return refused
	}
	if o := r.Header.Get("Origin"); o != "" && !strings.EqualFold(o, "http://"+r.Host) && !strings.EqualFold(o, "https://"+r.Host) {
		return refused
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	// No name that an attacker registered is a plain address.
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" || hostname != "" && host == strings.ToLower(hostname) {
		return nil
	}
	return refused
}
