package submit

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// Classes of messages.
const (
	ClassTransactional = "transactional"
	ClassBulk          = "bulk"
)

// A routing is what the choice of a connection depends on.
type routing struct {
	client *store.Client
	from   string // header From
	named  string // by the client; empty: none
	class  string
}

// choose finds the connection (design "Routing"): first match wins, inactive
// connections never match, and a client's list of connections bounds it.
func choose(conns []*adapters.Connection, r routing) (*adapters.Connection, error) {
	usable := func(c *adapters.Connection) bool {
		return c.IsActive() && r.mayUse(c)
	}
	find := func(ok func(c *adapters.Connection) bool) *adapters.Connection {
		for _, c := range conns {
			if usable(c) && r.fitsClass(c) && ok(c) {
				return c
			}
		}
		return nil
	}
	// 1. The default in mode "always" takes everything; it overrides the
	// client's list too, as it overrides every other setting.
	for _, c := range conns {
		if c.IsActive() && c.Default == adapters.DefaultAlways {
			return c, nil
		}
	}
	if r.named != "" { // 2.
		return r.byName(conns)
	}
	if r.class == ClassBulk { // 3.
		if c := find(func(c *adapters.Connection) bool { return c.Class == ClassBulk && c.AllowsFrom(r.from) }); c != nil {
			return c, nil
		}
	}
	for _, ok := range []func(c *adapters.Connection) bool{
		func(c *adapters.Connection) bool { return exact(c, r.from) },                               // 4.
		func(c *adapters.Connection) bool { return c.MatchesFrom(r.from) || sameDomain(c, r.from) }, // 5.
		func(c *adapters.Connection) bool { return r.client != nil && c.ID == r.client.Connection }, // 6.
		func(c *adapters.Connection) bool { return c.Default == adapters.DefaultUnrouted },          // 7.
	} {
		if c := find(ok); c != nil {
			return c, nil
		}
	}
	return nil, refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "no_route", "from", // 8.
		fmt.Sprintf("no connection sends mail from %s", r.from), fmt.Sprintf("nessuna connessione invia posta da %s", r.from),
		"create a connection for this sender or make one the default", "creare una connessione per questo mittente o impostarne una predefinita")
}

func (r routing) mayUse(c *adapters.Connection) bool {
	return r.client == nil || len(r.client.Connections) == 0 || slices.Contains(r.client.Connections, c.ID)
}

// fitsClass keeps bulk mail off connections for transactional mail and the
// other way round (field.md: newsletters must not go through the mailbox).
func (r routing) fitsClass(c *adapters.Connection) bool {
	switch c.Class {
	case ClassBulk:
		return r.class == ClassBulk
	case ClassTransactional:
		return r.class != ClassBulk
	}
	return true
}

func (r routing) byName(conns []*adapters.Connection) (*adapters.Connection, error) {
	for _, c := range conns {
		if !strings.EqualFold(c.Name, r.named) && c.ID != r.named {
			continue
		}
		switch {
		case !r.mayUse(c):
			return nil, refuse(http.StatusForbidden, 550, "5.7.1", "connection_not_allowed", "connection",
				fmt.Sprintf("this client may not use the connection %q", r.named), fmt.Sprintf("questo client non può usare la connessione %q", r.named),
				"ask the administrator to allow it", "chiedere all'amministratore di abilitarla")
		case !c.IsActive():
			return nil, refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "connection_inactive", "connection",
				fmt.Sprintf("the connection %q is not active", r.named), fmt.Sprintf("la connessione %q non è attiva", r.named),
				"switch it on or name another", "attivarla o indicarne un'altra")
		}
		return c, nil
	}
	return nil, refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "unknown_connection", "connection",
		fmt.Sprintf("there is no connection named %q", r.named), fmt.Sprintf("non esiste una connessione di nome %q", r.named),
		"see 'postino connection list' for the names", "vedere i nomi con 'postino connection list'")
}

// exact reports the connection's own address or an alias that is an address.
func exact(c *adapters.Connection, from string) bool {
	plain := &adapters.Connection{From: c.From}
	if _, pattern := c.FromPattern(); pattern {
		plain.From = ""
	}
	for _, a := range c.Aliases {
		if !strings.HasPrefix(a, "*@") {
			plain.Aliases = append(plain.Aliases, a)
		}
	}
	return plain.MatchesFrom(from)
}

// sameDomain lets a plain SMTP connection take every sender of its domain; an
// API connection sends as its mailbox alone (contracts B4.6).
func sameDomain(c *adapters.Connection, from string) bool {
	i := strings.LastIndexByte(c.From, '@')
	if c.Provider != adapters.SMTP || i < 0 {
		return false
	}
	return (&adapters.Connection{From: "*" + c.From[i:]}).MatchesFrom(from)
}

// capacity is what one route carries.
type capacity struct {
	conn    *adapters.Connection
	adapter adapters.Adapter
	split   int // most recipients of one delivery; 0: no limit
}

// A recipientLimiter is an adapter that knows how many recipients one message may have.
type recipientLimiter interface{ MaxRecipients() int }

func (s *Submitter) capacity(c *adapters.Connection) (capacity, error) {
	a, err := s.opt.Adapters.Adapter(c)
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
// its chain: what cannot leave is refused at the door.
func (s *Submitter) carrier(ctx context.Context, c *adapters.Connection, out adapters.Outgoing) (capacity, error) {
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
			if way, ferr := s.try(next, out); ferr == nil {
				return way, nil
			}
		}
	}
	return capacity{}, cannotCarry(c, e)
}

func (s *Submitter) try(c *adapters.Connection, out adapters.Outgoing) (capacity, error) {
	way, err := s.capacity(c)
	if err != nil {
		return way, err
	}
	if way.split > 0 && len(out.Envelope.Recipients) > way.split {
		out.Envelope.Recipients = out.Envelope.Recipients[:way.split]
	}
	return way, way.adapter.Check(out)
}

// MaxSize is the largest message in bytes that any usable route carries, for
// the SIZE of the SMTP door (contracts F26).
func (s *Submitter) MaxSize(ctx context.Context) (int64, error) {
	conns, err := s.conns.All(ctx)
	if err != nil {
		return 0, err
	}
	var largest int64
	for _, c := range conns {
		if !c.IsActive() {
			continue
		}
		way, err := s.capacity(c)
		if err != nil {
			continue // a connection that cannot be used carries nothing
		}
		n := way.adapter.MaxSize()
		if n <= 0 || n > s.opt.MaxSize {
			return s.opt.MaxSize, nil
		}
		largest = max(largest, n)
	}
	if largest == 0 {
		return s.opt.MaxSize, nil
	}
	return largest, nil
}
