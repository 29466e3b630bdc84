package stages

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// An Issuer is an adapters.TokenSource that asks a server for its tokens.
type Issuer interface {
	// Host is the server's name, with the port where it is not the usual one;
	// empty: tokens come from this machine.
	Host() string
	// Reach asks the server for anything without a credential and returns the
	// header of its answer. The error is an *adapters.Error.
	Reach(ctx context.Context) (http.Header, error)
}

// A Host is a server that a connection needs.
type Host struct {
	Name string
	// Reach connects to it with the adapter's own code; the hooks of httptrace in
	// ctx see how. It returns the header of an HTTP answer, or nil. The error is
	// an *adapters.Error.
	Reach func(ctx context.Context) (http.Header, error)
	// Plain servers are reached without TLS, or TLS comes later.
	Plain bool
	// Hide keeps back what the server shows of itself and which addresses it has:
	// whoever named it must not learn about a network through this machine.
	Hide bool
}

// Reach reaches all hosts at once and passes on the stages dns, tcp, tls unless
// all are plain, and greeting where they answer by HTTP. It reports whether all
// are in order.
func (r *Recorder) Reach(ctx context.Context, hosts ...Host) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watch{changed: make(chan struct{}, 1), paths: make([]*path, len(hosts))}
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	for i, h := range hosts {
		p := &path{watch: w, host: h}
		w.paths[i] = p
		running.Go(func() {
			header, err := h.Reach(httptrace.WithClientTrace(ctx, p.trace()))
			p.set(func() { p.done, p.header, p.err = true, header, err })
		})
	}
	plain := true
	for _, h := range hosts {
		plain = plain && h.Plain
	}
	for _, n := range []Name{DNS, TCP, TLS} {
		if n == TLS && plain {
			continue
		}
		if !r.network(n, w) {
			return false
		}
	}
	w.until(func(p *path) bool { return p.done })
	var message, hint adapters.Text
	for _, p := range w.paths {
		if p.err != nil {
			r.Fail(Greeting, p.err)
			return false
		}
		if p.header == nil {
			continue
		}
		m, what := clock(p.host.Name, p.header, r.now())
		message = And(message, m)
		if hint.IsZero() { // one word about this machine's clock is enough
			hint = what
		}
	}
	if !message.IsZero() {
		r.Pass(Greeting, message, hint)
	}
	return true
}

// network waits for one stage of all hosts and passes it on.
func (r *Recorder) network(n Name, w *watch) bool {
	w.until(func(p *path) bool { return p.done || p.passed(n) })
	w.mu.Lock()
	defer w.mu.Unlock()
	var message, hint adapters.Text
	looked := false
	for _, p := range w.paths {
		if p.done && p.err != nil && !p.passed(n) {
			r.Fail(n, p.err)
			return false
		}
		m, h, skipped := p.found(n, r.now())
		looked = looked || !skipped
		message, hint = And(message, m), And(hint, h)
	}
	s := Stage{Name: n, Status: OK, Message: message, Hint: hint}
	if !looked {
		s.Status = Skipped
	}
	r.Add(s)
	return true
}

// And joins two sentences; either may be zero.
func And(a, b adapters.Text) adapters.Text {
	switch {
	case a.IsZero():
		return b
	case b.IsZero():
		return a
	}
	return mime.NewText("test.and", "{first}; {second}", "first", a, "second", b)
}

// A watch is what is known of the hosts so far.
type watch struct {
	changed chan struct{}
	paths   []*path

	mu sync.Mutex
}

// until waits for ready to hold for all hosts. Each of them ends with its context.
func (w *watch) until(ready func(*path) bool) {
	for {
		w.mu.Lock()
		all := true
		for _, p := range w.paths {
			all = all && ready(p)
		}
		w.mu.Unlock()
		if all {
			return
		}
		<-w.changed
	}
}

// A path is how one host is reached.
type path struct {
	watch *watch
	host  Host

	resolved  bool
	addrs     []string // as DNS has them
	tried     []string // addresses with ports
	connected string
	secured   bool
	state     tls.ConnectionState
	reused    bool
	done      bool
	header    http.Header
	err       error
}

func (p *path) set(change func()) {
	p.watch.mu.Lock()
	change()
	p.watch.mu.Unlock()
	select {
	case p.watch.changed <- struct{}{}:
	default: // whoever waits looks at all that has changed
	}
}

// trace sees what net and net/http do on the way to the host.
func (p *path) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone: func(i httptrace.DNSDoneInfo) {
			if i.Err != nil {
				return
			}
			p.set(func() {
				p.resolved = true
				for _, a := range i.Addrs {
					p.addrs = append(p.addrs, a.String())
				}
			})
		},
		ConnectStart: func(_, addr string) { p.set(func() { p.tried = append(p.tried, addr) }) },
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				p.set(func() { p.connected = addr })
			}
		},
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				p.set(func() { p.secured, p.state = true, s })
			}
		},
		GotConn: func(i httptrace.GotConnInfo) {
			p.set(func() {
				if p.reused = i.Reused; i.Reused {
					p.connected = i.Conn.RemoteAddr().String()
				}
			})
		},
	}
}

// passed reports that a stage is behind the host.
func (p *path) passed(n Name) bool {
	switch n {
	case DNS:
		return p.resolved || len(p.tried) > 0 || p.passed(TCP)
	case TCP:
		return p.connected != "" || p.done && p.err == nil
	default:
		return p.secured || p.reused || p.host.Plain && p.passed(TCP) || p.done && p.err == nil
	}
}

// found says what a stage found of the host. skipped: there was nothing to find.
func (p *path) found(n Name, now time.Time) (message, hint adapters.Text, skipped bool) {
	host := p.host.Name
	switch n {
	case DNS:
		switch {
		case !p.resolved:
			return mime.NewText("test.dns_no_name", "{host}: no name to look up", "host", host), hint, true
		case p.host.Hide:
			return mime.NewText("test.dns_found", "{host} is in DNS", "host", host), hint, false
		}
		return mime.NewText("test.dns_addresses", "{host} has {addresses}", "host", host, "addresses", short(p.addrs)), hint, false
	case TCP:
		if p.connected == "" || p.host.Hide {
			return mime.NewText("test.tcp_connected", "{host} takes connections", "host", host), hint, false
		}
		return mime.NewText("test.tcp_connected_address", "{host} takes connections at {address}", "host", host, "address", p.connected),
			p.slowFamily(), false
	}
	switch {
	case p.host.Plain:
		return mime.NewText("test.tls_none", "{host}: without TLS, as the connection says", "host", host), hint, true
	case !p.secured:
		return mime.NewText("test.tls_kept", "{host}: over a kept connection", "host", host), hint, false
	}
	message, hint = Certificate(host, p.state, now, p.host.Hide)
	return message, hint, false
}

// slowFamily is said of IPv6 addresses that were tried first (RFC 8305) and
// lost against IPv4.
func (p *path) slowFamily() adapters.Text {
	won, err := netip.ParseAddrPort(p.connected)
	if err != nil || !won.Addr().Unmap().Is4() {
		return adapters.Text{}
	}
	for _, t := range p.tried {
		if a, err := netip.ParseAddrPort(t); err == nil && a.Addr().Is6() && !a.Addr().Is4In6() {
			return mime.NewText("test.ipv6_slow",
				"{address} did not answer, so that each new connection loses time: repair IPv6 on this machine or its network",
				"address", t)
		}
	}
	return adapters.Text{}
}

// short names the first of many addresses.
func short(addrs []string) string {
	const most = 4
	if len(addrs) > most {
		return strings.Join(addrs[:most], ", ") + ", ..."
	}
	return strings.Join(addrs, ", ")
}

// Dialed says that conn was made by a dialer that tells nothing of its steps.
func Dialed(ctx context.Context, conn net.Conn) {
	t := httptrace.ContextClientTrace(ctx)
	if t == nil || t.ConnectDone == nil {
		return
	}
	t.ConnectDone(conn.RemoteAddr().Network(), conn.RemoteAddr().String(), nil)
}
