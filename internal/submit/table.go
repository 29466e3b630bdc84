package submit

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// A table is the connections ordered for routing: a hosted service has tens of
// thousands of them, and a message must not look at each; nor must an edit of
// one of them, so the table follows the registry by what is different.
type table struct {
	mu   sync.RWMutex
	made bool
	of   []*gateway.Connection // what it was made of, by name
	keys map[*gateway.Connection]keys
	ids  map[string]*gateway.Connection

	names map[string]*gateway.Connection // lower case
	on    routeLists
	off   routeLists // those that are switched off: they explain refusals

	size sizeMemo
}

// routeLists are lists of connections by what they are chosen for, each by name.
type routeLists struct {
	always, unrouted, bulk []*gateway.Connection
	exact, domain          map[string][]*gateway.Connection
}

// sizeMemo remembers MaxSize for a while: an SMTP server's limit is learnt as
// mail goes out.
type sizeMemo struct {
	mu    sync.Mutex
	bytes int64
	at    time.Time
}

const sizeFresh = 10 * time.Second

func (m *sizeMemo) get(find func() int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes == 0 || time.Since(m.at) > sizeFresh {
		m.bytes, m.at = find(), time.Now()
	}
	return m.bytes
}

func (m *sizeMemo) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes = 0
}

func newTable() *table {
	lists := func() routeLists {
		return routeLists{exact: make(map[string][]*gateway.Connection), domain: make(map[string][]*gateway.Connection)}
	}
	return &table{keys: make(map[*gateway.Connection]keys), ids: make(map[string]*gateway.Connection),
		names: make(map[string]*gateway.Connection),
		on:    lists(), off: lists()}
}

// is reports that this is the table of conns, which the registry returns as the
// same slice until something changes. The lock is held.
func (t *table) is(conns []*gateway.Connection) bool {
	return t.made && len(conns) == len(t.of) && (len(conns) == 0 || &conns[0] == &t.of[0])
}

// follow makes this the table of what all returns, which is by name. With the
// lock held it asks again: a table must not go back to an older state.
func (t *table) follow(all func() ([]*gateway.Connection, error)) error {
	conns, err := all()
	if err != nil {
		return err
	}
	t.mu.RLock()
	done := t.is(conns)
	t.mu.RUnlock()
	if done {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if conns, err = all(); err != nil || t.is(conns) {
		return err
	}
	gone, come := difference(t.of, conns)
	for _, c := range gone { // first: another one may have its name now
		t.remove(c)
	}
	for _, c := range come {
		t.add(c)
	}
	t.of, t.made = conns, true
	t.size.forget()
	return nil
}

// difference returns what only before has and what only after has; both are by name.
func difference(before, after []*gateway.Connection) (gone, come []*gateway.Connection) {
	for len(before) > 0 && len(after) > 0 {
		switch b, a := before[0], after[0]; {
		case b == a:
			before, after = before[1:], after[1:]
		case b.Name < a.Name:
			gone, before = append(gone, b), before[1:]
		case b.Name > a.Name:
			come, after = append(come, a), after[1:]
		default:
			gone, come = append(gone, b), append(come, a)
			before, after = before[1:], after[1:]
		}
	}
	return append(gone, before...), append(come, after...)
}

// keys are what a connection is found by.
type keys struct {
	exact   []string
	domains []string
}

// Senders returns the senders that are routed to a connection: addresses, and domains.
func Senders(c *gateway.Connection) (addresses, domains []string) {
	k := keysOf(c)
	return k.exact, k.domains
}

func keysOf(c *gateway.Connection) (k keys) {
	for _, sender := range append([]string{c.From}, c.Aliases...) {
		if d, ok := strings.CutPrefix(sender, "*@"); ok {
			k.domains = append(k.domains, domainOf("x@"+d))
			continue
		}
		if key := addressKey(sender); key != "" {
			k.exact = append(k.exact, key)
		}
	}
	// A plain SMTP connection takes every sender of its domain; an API connection
	// sends as its mailbox alone (contracts B4.6).
	if c.Provider == adapters.SMTP && c.From != "" {
		k.domains = append(k.domains, domainOf(c.From))
	}
	slices.Sort(k.exact)
	k.exact = slices.Compact(k.exact)
	slices.Sort(k.domains)
	k.domains = slices.DeleteFunc(slices.Compact(k.domains), func(d string) bool { return d == "" })
	return k
}

func (t *table) add(c *gateway.Connection) {
	k := keysOf(c)
	t.keys[c], t.ids[c.ID], t.names[strings.ToLower(c.Name)] = k, c, c
	t.change(c, k, inserted)
}

func (t *table) remove(c *gateway.Connection) {
	t.change(c, t.keys[c], deleted)
	delete(t.keys, c)
	delete(t.ids, c.ID)
	delete(t.names, strings.ToLower(c.Name))
}

// change applies f to every list that c stands in.
func (t *table) change(c *gateway.Connection, k keys, f func([]*gateway.Connection, *gateway.Connection) []*gateway.Connection) {
	w := &t.on
	if !c.IsActive() {
		w = &t.off
	}
	switch c.Default {
	case gateway.DefaultAlways:
		w.always = f(w.always, c)
	case gateway.DefaultUnrouted:
		w.unrouted = f(w.unrouted, c)
	}
	if c.Class == ClassBulk {
		w.bulk = f(w.bulk, c)
	}
	in := func(m map[string][]*gateway.Connection, keys []string) {
		for _, key := range keys {
			if list := f(m[key], c); len(list) > 0 {
				m[key] = list
			} else {
				delete(m, key)
			}
		}
	}
	in(w.exact, k.exact)
	in(w.domain, k.domains)
}

// place is where c stands, or would stand, in list.
func place(list []*gateway.Connection, c *gateway.Connection) int {
	if n := len(list); n == 0 || list[n-1].Name < c.Name { // a table that fills does so by name
		return n
	}
	i, _ := slices.BinarySearchFunc(list, c, func(a, b *gateway.Connection) int { return strings.Compare(a.Name, b.Name) })
	return i
}

func inserted(list []*gateway.Connection, c *gateway.Connection) []*gateway.Connection {
	return slices.Insert(list, place(list, c), c)
}

func deleted(list []*gateway.Connection, c *gateway.Connection) []*gateway.Connection {
	if i := place(list, c); i < len(list) && list[i] == c {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// addressKey is by what senders are compared: as providers do, without regard to
// case, as adapters.Connection.MatchesFrom does.
func addressKey(addr string) string {
	m, err := mime.ParseMailbox(addr)
	if err != nil {
		return ""
	}
	return m.Folded()
}

func domainOf(key string) string { return key[strings.LastIndexByte(key, '@')+1:] }

// table returns the table of the registry's present state.
func (s *Submitter) table(ctx context.Context) (*table, error) {
	return s.routes, s.routes.follow(func() ([]*gateway.Connection, error) { return s.conns.All(ctx) })
}

// MaxSize is the largest message in bytes that any usable route carries, for
// the SIZE of the SMTP listener (contracts F26).
func (s *Submitter) MaxSize(ctx context.Context) (int64, error) {
	t, err := s.table(ctx)
	if err != nil {
		return 0, err
	}
	t.mu.RLock()
	conns := t.of
	t.mu.RUnlock()
	return t.size.get(func() int64 { return s.largest(conns) }), nil
}

// Limit is the largest message in bytes that this gateway takes at all,
// whatever routes there are.
func (s *Submitter) Limit() int64 { return s.opt.MaxSize }

func (s *Submitter) largest(conns []*gateway.Connection) int64 {
	var largest int64
	for _, c := range conns {
		if !c.IsActive() {
			continue
		}
		route, err := s.capacity(c)
		if err != nil {
			continue // a connection that cannot be used carries nothing
		}
		n := route.adapter.MaxSize()
		if n <= 0 || n >= s.opt.MaxSize {
			return s.opt.MaxSize
		}
		largest = max(largest, n)
	}
	if largest == 0 {
		return s.opt.MaxSize
	}
	return largest
}
