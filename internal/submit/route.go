package submit

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Classes of messages.
const (
	ClassTransactional = "transactional"
	ClassBulk          = "bulk"
)

// A routing is what the choice of a connection depends on.
type routing struct {
	client *store.Client
	owner  string // id of a person: only connections that they own; empty: any
	from   string // header From
	named  string // by the client; empty: none
	class  string
}

// choose finds the connection (design "Routing"): first match wins, inactive
// connections never match, and a client's list of connections bounds it.
func (t *table) choose(r routing) (*gateway.Connection, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	// 1. The default in mode "always" takes everything; it overrides the
	// client's list too, as it overrides every other setting.
	if len(t.on.always) > 0 {
		if c := t.on.always[0]; r.owns(c) {
			return c, nil
		}
		return nil, notOwn(t.on.always[0].Name) // not even that is another's way out
	}
	if r.named != "" { // 2.
		return t.byName(r)
	}
	first := func(list []*gateway.Connection) *gateway.Connection {
		for _, c := range list {
			if r.mayUse(c) && r.fitsClass(c) {
				return c
			}
		}
		return nil
	}
	if r.class == ClassBulk { // 3.
		for _, c := range t.on.bulk {
			if r.mayUse(c) && c.AllowsFrom(r.from) {
				return c, nil
			}
		}
	}
	var own []*gateway.Connection
	if r.client != nil {
		if c := t.ids[r.client.Connection]; c != nil && c.IsActive() {
			own = append(own, c)
		}
	}
	// 4. exact From, 5. From domain, 6. the client's own, 7. the default.
	for _, list := range [][]*gateway.Connection{t.on.exact[addressKey(r.from)], t.on.domain[domainOf(r.from)], own, t.on.unrouted} {
		if c := first(list); c != nil {
			return c, nil
		}
	}
	for _, list := range [][]*gateway.Connection{t.off.exact[addressKey(r.from)], t.off.domain[domainOf(r.from)]} {
		if c := first(list); c != nil { // it will be on again: a program that tries later loses nothing
			return nil, refuse(http.StatusServiceUnavailable, 451, "4.7.1", "connection_inactive", "from",
				mime.NewText("submit.sender_switched_off", "the connection {connection}, which sends mail from {from}, is switched off", "connection",
					strconv.Quote(c.Name), "from", r.from),
				mime.NewText("submit.sender_switched_off_hint", "switch it on, or create another connection for this sender"))
		}
	}
	return nil, refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "no_route", "from", // 8.
		mime.NewText("submit.no_route", "no connection sends mail from {from}", "from", r.from),
		mime.NewText("submit.no_route_hint", "create a connection for this sender or make one the default"))
}

func (r routing) owns(c *gateway.Connection) bool { return r.owner == "" || c.Owner == r.owner }

func (r routing) mayUse(c *gateway.Connection) bool {
	if !r.owns(c) {
		return false
	}
	return r.client == nil || len(r.client.Connections) == 0 || slices.Contains(r.client.Connections, c.ID)
}

// fitsClass keeps bulk mail off connections for transactional mail and the
// other way round (field.md: newsletters must not go through the mailbox).
func (r routing) fitsClass(c *gateway.Connection) bool {
	switch c.Class {
	case ClassBulk:
		return r.class == ClassBulk
	case ClassTransactional:
		return r.class != ClassBulk
	}
	return true
}

// byName finds the one that the client named. The lock is held.
func (t *table) byName(r routing) (*gateway.Connection, error) {
	c := t.names[strings.ToLower(r.named)]
	if c == nil {
		c = t.ids[r.named]
	}
	if r.owner != "" && (c == nil || !r.owns(c)) { // whether it exists is not theirs to know
		return nil, notOwn(r.named)
	}
	if c != nil {
		switch {
		case !r.mayUse(c):
			return nil, refuse(http.StatusForbidden, 550, "5.7.1", "connection_not_allowed", "connection",
				mime.NewText("submit.connection_not_allowed", "this client may not use the connection {connection}", "connection",
					strconv.Quote(r.named)),
				mime.NewText("submit.connection_not_allowed_hint", "ask the administrator to allow it"))
		case !c.IsActive():
			return nil, refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "connection_inactive", "connection",
				mime.NewText("submit.connection_inactive", "the connection {connection} is not active", "connection", strconv.Quote(r.named)),
				mime.NewText("submit.connection_inactive_hint", "switch it on or name another"))
		}
		return c, nil
	}
	return nil, refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "unknown_connection", "connection",
		mime.NewText("submit.unknown_connection", "there is no connection named {connection}", "connection", strconv.Quote(r.named)),
		mime.NewText("submit.unknown_connection_hint", "see 'postino connection list' for the names"))
}

// notOwn refuses a person a connection that is not theirs.
func notOwn(name string) error {
	return refuse(http.StatusForbidden, 550, "5.7.1", "connection_not_allowed", "connection",
		mime.NewText("submit.connection_not_own", "{connection} is no connection of yours", "connection", strconv.Quote(name)),
		mime.NewText("submit.connection_not_allowed_hint", "ask the administrator to allow it"))
}

// capacity is what one route carries.
type capacity struct {
	conn    *gateway.Connection
	adapter adapters.Adapter
	split   int // most recipients of one delivery; 0: no limit
}

// A recipientLimiter is an adapter that knows how many recipients one message may have.
type recipientLimiter interface{ MaxRecipients() int }

func (s *Submitter) capacity(c *gateway.Connection) (capacity, error) {
	a, err := s.opt.Adapters.Adapter(&c.Connection)
	if err != nil {
		return capacity{}, err
	}
	out := capacity{conn: c, adapter: a}
	if l, ok := a.(recipientLimiter); ok {
		out.split = l.MaxRecipients()
	}
	return out, nil
}

// carrier checks the connection and, where it cannot carry the size, those of
// its chain: what cannot leave is refused at submission.
func (s *Submitter) carrier(ctx context.Context, c *gateway.Connection, out adapters.Outgoing) (capacity, error) {
	first, err := s.try(c, out)
	if err == nil {
		return first, nil
	}
	e := adapters.AsError(err)
	if e.TooLarge {
		for _, name := range c.Fallback {
			next, ferr := s.conns.Named(ctx, name)
			if ferr != nil || !next.IsActive() {
				continue
			}
			if route, ferr := s.try(next, out); ferr == nil {
				return route, nil
			}
		}
	}
	return capacity{}, cannotCarry(c, e)
}

func (s *Submitter) try(c *gateway.Connection, out adapters.Outgoing) (capacity, error) {
	route, err := s.capacity(c)
	if err != nil {
		return route, err
	}
	if route.split > 0 && len(out.Envelope.Recipients) > route.split {
		out.Envelope.Recipients = out.Envelope.Recipients[:route.split]
	}
	return route, route.adapter.Check(out)
}
