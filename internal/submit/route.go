package submit

import (
	"context"
	"iter"
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
	owner  string       // id of a person: only connections that they own; empty: any
	from   mime.Mailbox // header From
	named  string       // by the client; empty: none
	// through: named comes before the default that takes everything
	through bool
	class   string
}

// A candidate is a connection that a rule looks at.
type candidate struct {
	rule     Rule
	conn     *gateway.Connection
	obstacle *mime.Text // why it does not match; nil: it does
}

// choose finds the connection, and the rule that matched (design "Routing"): first match wins, inactive
// connections never match, and a client's list of connections bounds it.
func (t *table) choose(r routing) (*gateway.Connection, Rule, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.decide(r)
}

// decide is choose while the lock is held.
func (t *table) decide(r routing) (*gateway.Connection, Rule, error) {
	for c := range t.candidates(r) {
		if c.obstacle == nil {
			return c.conn, c.rule, nil
		}
		if c.rule == RuleAlways { // not even that is another's way out
			return nil, RuleNone, notOwn(c.conn.Name)
		}
	}
	if r.named != "" {
		return nil, RuleNone, t.namedRefusal(r)
	}
	return nil, RuleNone, t.refusal(r)
}

// candidates are the connections that the rules look at, in the order of the
// rules. The lock is held.
func (t *table) candidates(r routing) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		// 1. The default in mode "always" takes everything; it overrides the
		// client's list too, as it overrides every other setting.
		for _, c := range t.on.always {
			if r.through {
				break
			}
			if !yield(candidate{RuleAlways, c, r.notOwned(c)}) {
				return
			}
		}
		if r.named != "" { // 2.
			if c := t.named(r.named); c != nil && c.IsActive() {
				yield(candidate{RuleNamed, c, r.notAllowed(c)})
			}
			return
		}
		if r.class == ClassBulk { // 3.
			for _, c := range t.on.bulk {
				if !yield(candidate{RuleClass, c, r.bulkObstacle(c)}) {
					return
				}
			}
		}
		address := r.from.Folded()
		var own []*gateway.Connection
		if r.client != nil {
			if c := t.ids[r.client.Connection]; c != nil && c.IsActive() {
				own = append(own, c)
			}
		}
		for _, step := range [...]struct {
			rule Rule
			list []*gateway.Connection
		}{{RuleAddress, t.on.exact[address]}, {RuleDomain, t.on.domain[domainOf(address)]}, {RuleClient, own},
			{RuleDefault, t.on.unrouted}} {
			for _, c := range step.list {
				if !yield(candidate{step.rule, c, r.obstacle(c)}) {
					return
				}
			}
		}
	}
}

// refusal says why no connection matches. The lock is held.
func (t *table) refusal(r routing) error {
	address := r.from.Folded()
	for _, list := range [][]*gateway.Connection{t.off.exact[address], t.off.domain[domainOf(address)]} {
		for _, c := range list {
			if r.obstacle(c) != nil {
				continue
			}
			// It will be on again: a program that tries later loses nothing.
			return refuse(http.StatusServiceUnavailable, 451, "4.7.1", "connection_inactive", "from",
				mime.NewText("submit.sender_switched_off", "the connection {connection}, which sends mail from {from}, is switched off", "connection",
					strconv.Quote(c.Name), "from", r.from),
				mime.NewText("submit.sender_switched_off_hint", "switch it on, or create another connection for this sender"))
		}
	}
	return refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "no_route", "from", // 8.
		mime.NewText("submit.no_route", "no connection sends mail from {from}", "from", r.from),
		mime.NewText("submit.no_route_hint", "create a connection for this sender or make one the default"))
}

func (r routing) owns(c *gateway.Connection) bool { return r.owner == "" || c.Owner == r.owner }

// obstacle is why a connection that is active does not match; nil: it does.
func (r routing) obstacle(c *gateway.Connection) *mime.Text {
	switch {
	case !r.mayUse(c):
		return r.notAllowed(c)
	case !r.fitsClass(c):
		t := mime.NewText("submit.why_class", "it is for {class} mail alone", "class", c.Class)
		return &t
	}
	return nil
}

func (r routing) notOwned(c *gateway.Connection) *mime.Text {
	if r.owns(c) {
		return nil
	}
	t := whyNotOwn()
	return &t
}

func (r routing) notAllowed(c *gateway.Connection) *mime.Text {
	if r.mayUse(c) {
		return nil
	}
	t := mime.NewText("submit.why_not_allowed", "the client may not use it")
	return &t
}

// bulkObstacle is obstacle for the rule of bulk mail.
func (r routing) bulkObstacle(c *gateway.Connection) *mime.Text {
	if r.mayUse(c) && !c.AllowsFrom(r.from) {
		t := mime.NewText("submit.fallback_sender", "it does not send as {from}", "from", r.from)
		return &t
	}
	return r.notAllowed(c)
}

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

// named is the connection with an id or a name: no name stands for the id of
// another. The lock is held.
func (t *table) named(name string) *gateway.Connection {
	if c := t.ids[name]; c != nil {
		return c
	}
	return t.names[strings.ToLower(name)]
}

// namedRefusal says why the client does not get the connection that it names. The
// lock is held.
func (t *table) namedRefusal(r routing) error {
	switch c := t.named(r.named); {
	case r.owner != "" && (c == nil || !r.owns(c)): // whether it exists is not theirs to know
		return notOwn(r.named)
	case c == nil:
		return refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "unknown_connection", "connection",
			mime.NewText("submit.unknown_connection", "there is no connection named {connection}", "connection", strconv.Quote(r.named)),
			mime.NewText("submit.unknown_connection_hint", "see 'postino connection list' for the names"))
	case !r.mayUse(c):
		return refuse(http.StatusForbidden, 550, "5.7.1", "connection_not_allowed", "connection",
			mime.NewText("submit.connection_not_allowed", "this client may not use the connection {connection}", "connection",
				strconv.Quote(r.named)),
			mime.NewText("submit.connection_not_allowed_hint", "ask the administrator to allow it"))
	}
	return refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "connection_inactive", "connection",
		mime.NewText("submit.connection_inactive", "the connection {connection} is not active", "connection", strconv.Quote(r.named)),
		mime.NewText("submit.connection_inactive_hint", "switch it on or name another"))
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
