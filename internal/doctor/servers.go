package doctor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// How many servers are asked, how many at once, and for how long each.
const (
	serversMost   = 40
	serversAtOnce = 8
	serverLimit   = 25 * time.Second
)

// An endpoint is a server that connections need, with one of these.
type endpoint struct {
	key  string
	conn *gateway.Connection
}

// servers asks each server that active connections need for its first answer:
// name, connection, certificate, clock, and which address it sees.
func (c *checkup) servers(ctx context.Context) {
	var list []endpoint
	known := map[string]bool{}
	for _, conn := range c.conns {
		if a := sourceOf(conn); a.IsValid() && !slices.Contains(c.out.Addresses.Configured, a) {
			c.out.Addresses.Configured = append(c.out.Addresses.Configured, a)
		}
		key := endpointOf(conn)
		if key == "" || known[key] || !conn.IsActive() || conn.RedactedSecret() != "" {
			continue
		}
		known[key] = true
		list = append(list, endpoint{key, conn})
	}
	left := max(0, len(list)-serversMost)
	list = list[:len(list)-left]
	found := make([][]stages.Stage, len(list))
	var mu sync.Mutex
	at := make([]int, len(list))
	for i := range at {
		at[i] = i
	}
	each(at, serversAtOnce, func(i int) {
		got := c.Doctor.network(ctx, list[i].conn)
		mu.Lock()
		defer mu.Unlock()
		found[i] = got
	})
	for i, e := range list {
		c.server(e, found[i])
	}
	if left > 0 {
		c.add(Finding{Check: "server", Status: NotDone, Message: mime.NewCount("doctor.servers_left", left, "one more server was not asked",
			"{count} more servers were not asked")})
	}
	c.addresses(ctx)
}

// server passes on what the stages of one server found.
func (c *checkup) server(e endpoint, all []stages.Stage) {
	for _, s := range all {
		switch {
		case s.Status == stages.Failed:
			c.add(Finding{Check: "server", Status: Bad, Code: string(s.Err.Code), ProviderCode: s.Err.ProviderCode, Hint: s.Hint,
				Message: text("doctor.server_failed", "{server}, which the connection {name} needs, fails at {stage}: {message}",
					"server", e.key,
					"name", e.conn.Name, "stage", Label(s.Name), "message", s.Message)})
			return
		case s.Name == stages.Greeting && e.conn.Provider != adapters.SMTP: // the Date of an HTTP answer
			if s.Hint.IsZero() {
				c.good("clock", s.Message)
			} else {
				c.warn("clock", s.Message, s.Hint)
			}
		case !s.Hint.IsZero():
			c.warn("server", s.Message, s.Hint)
		}
		if a, err := netip.ParseAddr(s.Seen); err == nil && !slices.Contains(c.out.Addresses.Seen, a) {
			c.out.Addresses.Seen = append(c.out.Addresses.Seen, a)
		}
	}
	c.good("server", text("doctor.server_ok", "{server}: DNS, connection and certificate are in order", "server", e.key))
}

// addresses tells which addresses this machine sends from.
func (c *checkup) addresses(ctx context.Context) {
	a := &c.out.Addresses
	for _, probe := range [][2]string{{"udp4", "192.0.2.1:9"}, {"udp6", "[2001:db8::1]:9"}} { // UDP: nothing is sent (RFC 5737, RFC 3849)
		if conn, err := new(net.Dialer).DialContext(ctx, probe[0], probe[1]); err == nil {
			if u, ok := conn.LocalAddr().(*net.UDPAddr); ok {
				a.System = append(a.System, u.AddrPort().Addr().Unmap().WithZone(""))
			}
			_ = conn.Close() // nothing was sent over it
		}
	}
	hint := text("doctor.addresses_hint", "give these to the provider or firewall that lets only known addresses pass")
	if len(a.Seen) == 0 {
		hint = text("doctor.addresses_unseen",
			"no server told which address it sees; behind NAT the public one is another: ask the network's administrator")
	}
	c.add(Finding{Check: "addresses", Status: Good, Hint: hint,
		Message: text("doctor.addresses",
			"this machine sends from: {configured} (configured), {system} (chosen by the system), {seen} (seen by servers)",
			"configured", join(a.Configured), "system", join(a.System), "seen", join(a.Seen))})
}

func join(list []netip.Addr) string {
	if len(list) == 0 {
		return "-"
	}
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return strings.Join(out, " ")
}

// sourceOf is the configured source address of a connection; the zero Addr: none.
func sourceOf(c *gateway.Connection) netip.Addr {
	set := fallback.SettingsOf(&c.Connection)
	if set == nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(set.SourceAddress)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// endpointOf names the server that a connection needs; connections with the same
// name need the same one.
func endpointOf(c *gateway.Connection) string {
	named := func(name string, parts ...string) string {
		for _, p := range parts {
			if p != "" {
				name += " " + p
			}
		}
		return name
	}
	if set := graph.SettingsOf(&c.Connection); set != nil {
		return named("Microsoft 365", set.Cloud, set.AuthorityURL, set.GraphURL)
	}
	if set := gmail.SettingsOf(&c.Connection); set != nil {
		return named("Google", set.TokenURL, set.GmailURL)
	}
	if set := fallback.SettingsOf(&c.Connection); set != nil {
		return set.Address()
	}
	return ""
}

// network runs the stages of a connection that need no credential.
func (d *Doctor) network(ctx context.Context, c *gateway.Connection) (all []stages.Stage) {
	ctx, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	sender := d.opt.Sender()
	rec := stages.NewRecorder(d.opt.Now, func(s stages.Stage) { all = append(all, s) })
	adapter, err := sender.Adapter(&c.Connection)
	if err != nil {
		rec.Fail(Settings, err)
	} else if t, ok := adapter.(stages.Tester); ok {
		t.Test(ctx, stages.Request{Network: true}, rec.Add)
	}
	if err := sender.Close(); err != nil {
		rec.Add(stages.Stage{Name: stages.TCP, Status: stages.Unproven, Message: text("test.close",
			"a connection to the server does not close")})
	}
	return all
}
