package submit

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A table is the connections ordered for routing, made once for each state of
// the registry: a hosted service has tens of thousands of them, and a message
// must not look at each.
type table struct {
	always   *adapters.Connection
	unrouted []*adapters.Connection
	bulk     []*adapters.Connection
	ids      map[string]*adapters.Connection
	names    map[string]*adapters.Connection // lower case
	exact    map[string][]*adapters.Connection
	domain   map[string][]*adapters.Connection
	off      *table // those that are switched off: they explain refusals

	size sizeMemo
}

// sizeMemo remembers MaxSize for a while: an SMTP server's limit is learnt as
// mail goes out.
type sizeMemo struct {
	mu    sync.Mutex
	bytes int64
	at    time.Time
}

const sizeFresh = 10 * time.Second

// newTable keeps the order of conns among those that fit equally.
func newTable(conns []*adapters.Connection) *table {
	t := &table{ids: make(map[string]*adapters.Connection, len(conns)), names: make(map[string]*adapters.Connection, len(conns)),
		exact: make(map[string][]*adapters.Connection, len(conns)), domain: make(map[string][]*adapters.Connection),
		off: &table{exact: make(map[string][]*adapters.Connection), domain: make(map[string][]*adapters.Connection)}}
	for _, c := range conns {
		t.ids[c.ID], t.names[strings.ToLower(c.Name)] = c, c
		if !c.IsActive() {
			t.off.add(c)
			continue
		}
		switch c.Default {
		case adapters.DefaultAlways:
			if t.always == nil {
				t.always = c
			}
		case adapters.DefaultUnrouted:
			t.unrouted = append(t.unrouted, c)
		}
		if c.Class == ClassBulk {
			t.bulk = append(t.bulk, c)
		}
		t.add(c)
	}
	return t
}

func (t *table) add(c *adapters.Connection) {
	domains := make(map[string]bool)
	for _, sender := range append([]string{c.From}, c.Aliases...) {
		if d, ok := strings.CutPrefix(sender, "*@"); ok {
			domains[domainOf("x@"+d)] = true
			continue
		}
		if key := addressKey(sender); key != "" {
			t.exact[key] = append(t.exact[key], c)
		}
	}
	// A plain SMTP connection takes every sender of its domain; an API connection
	// sends as its mailbox alone (contracts B4.6).
	if c.Provider == adapters.SMTP && c.From != "" {
		domains[domainOf(c.From)] = true
	}
	for d := range domains {
		if d != "" {
			t.domain[d] = append(t.domain[d], c)
		}
	}
}

func addressKey(addr string) string {
	if n, err := mime.NormalizeAddress(addr); err == nil {
		return n
	}
	return ""
}

func domainOf(addr string) string {
	n := addressKey(addr)
	return n[strings.LastIndexByte(n, '@')+1:]
}

// table gives the table of the registry's present state.
func (s *Submitter) table(ctx context.Context) (*table, error) {
	conns, err := s.conns.All(ctx)
	if err != nil {
		return nil, err
	}
	s.tableMu.Lock()
	defer s.tableMu.Unlock()
	// The registry gives the same slice until something changes.
	if s.routes == nil || len(conns) != len(s.routed) || len(conns) > 0 && &conns[0] != &s.routed[0] {
		s.routes, s.routed = newTable(conns), conns
	}
	return s.routes, nil
}

// MaxSize is the largest message in bytes that any usable route carries, for
// the SIZE of the SMTP door (contracts F26).
func (s *Submitter) MaxSize(ctx context.Context) (int64, error) {
	t, err := s.table(ctx)
	if err != nil {
		return 0, err
	}
	t.size.mu.Lock()
	defer t.size.mu.Unlock()
	if t.size.bytes == 0 || time.Since(t.size.at) > sizeFresh {
		t.size.bytes, t.size.at = s.largest(t), time.Now()
	}
	return t.size.bytes, nil
}

// Limit is the largest message in bytes that this gateway takes at all,
// whatever routes there are.
func (s *Submitter) Limit() int64 { return s.opt.MaxSize }

func (s *Submitter) largest(t *table) int64 {
	var largest int64
	for _, c := range t.ids {
		if !c.IsActive() {
			continue
		}
		way, err := s.capacity(c)
		if err != nil {
			continue // a connection that cannot be used carries nothing
		}
		n := way.adapter.MaxSize()
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
