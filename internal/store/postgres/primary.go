package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A primary is what this node knows of the server that may write. Each
// promotion of a standby begins a timeline with a higher number, and the server
// that was primary before keeps the lower one: where two say that they are the
// primary, the higher timeline is the one to believe, and connections to the
// other are given up, whatever they wait for.
type primary struct {
	s  *Store
	mu sync.Mutex
	// is the newest server that was seen; the zero identity: none yet.
	is   identity
	pool *pgxpool.Pool               // nil: the store is being opened
	lent map[*pgxpool.Conn]time.Time // connections in use, since when

	done sync.WaitGroup
}

var (
	errStandby = errors.New("the server is a standby: it takes no mail. Name all servers in the database URL, with " +
		"target_session_attrs=read-write, or the address that follows the primary")
	errOld = errors.New("the server is an old primary: another one was promoted since. Make it a standby of that one (pg_rewind or " +
		"pg_basebackup), or take it off the network")
	errOther = errors.New("another database cluster than before answers at this address: if that is meant, restart postino")
)

// admit judges a server at the login.
func (p *primary) admit(is identity) error {
	if is.standby {
		return errStandby
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.is.system != "" && is.system != "" && p.is.system != is.system:
		return errOther
	case is.timeline < p.is.timeline && is.timeline != 0:
		return fmt.Errorf("%w (its timeline is %d, the newest %d)", errOld, is.timeline, p.is.timeline)
	case is.timeline > p.is.timeline && p.is.timeline != 0:
		p.s.opt.Log.Warn("another server is the primary now: connections to the earlier one are closed", "timeline", is.timeline,
			"before", p.is.timeline)
		p.s.recent.moved(p.is)
		p.is = is
		go p.closeOld() // not under the lock, and not in the middle of a login
	default:
		p.is = is
	}
	return nil
}

// old reports that a connection leads to a server that was replaced.
func (p *primary) old(c *pgconn.PgConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := identityOf(c).timeline
	return t != 0 && t < p.is.timeline
}

// closeOld ends all connections to servers that were replaced. What waits there
// for its commit is in doubt: no one is told that it was stored.
func (p *primary) closeOld() {
	p.mu.Lock()
	pool := p.pool
	p.mu.Unlock()
	if pool != nil {
		pool.Reset() // those that are not in use, and others when they come back
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.lent {
		if t := identityOf(conn.Conn().PgConn()).timeline; t != 0 && t < p.is.timeline {
			p.s.hangUp(conn)
		}
	}
}

// lend notes a connection in use until the function is called.
func (p *primary) lend(conn *pgxpool.Conn) (back func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent[conn] = time.Now()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.lent, conn)
	}
}

// Pauses between two looks for the primary: after slow a call that has no
// answer yet makes it look at once.
const (
	slow     = time.Second
	lookOut  = 5 * time.Second
	surveyed = 2 * time.Second // for all answers
)

// watch keeps the pool free of old connections. It looks now and then, and at
// once when an answer is late, where a new connection would lead: an address may
// have moved, or a standby may have been promoted, while the connections that
// there are live on.
func (p *primary) watch(pool *pgxpool.Pool) {
	p.mu.Lock()
	p.pool = pool
	p.mu.Unlock()
	p.done.Go(func() {
		t := time.NewTicker(slow)
		defer t.Stop()
		last := time.Now()
		for {
			select {
			case <-p.s.life.Done():
				return
			case <-t.C:
			}
			if p.late() || time.Since(last) >= lookOut {
				last = time.Now()
				p.survey(p.s.life)
			}
		}
	})
}

// late reports that a call waits for its answer.
func (p *primary) late() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, since := range p.lent {
		if time.Since(since) > slow {
			return true
		}
	}
	return false
}

// survey logs in at every server of the URL, so that admit sees the newest.
func (p *primary) survey(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, surveyed)
	defer cancel()
	var all sync.WaitGroup
	for _, conf := range hosts(p.s.sessionConfig(p.s.conf.ConnConfig, nil, " look")) {
		all.Go(func() {
			conn, err := pgx.ConnectConfig(ctx, conf)
			if err != nil {
				p.s.opt.Log.Debug("looking for the primary", "host", conf.Host, "port", conf.Port, "err", err)
				return
			}
			if err := conn.Close(ctx); err != nil {
				p.s.opt.Log.Debug("closing a connection that looked for the primary", "err", err)
			}
		})
	}
	all.Wait()
}

// hosts parts a configuration by server; several entries of one (with and
// without TLS) stay together.
func hosts(conf *pgx.ConnConfig) (out []*pgx.ConnConfig) {
	type address struct {
		host string
		port uint16
	}
	by := map[address]*pgx.ConnConfig{}
	all := append([]*pgconn.FallbackConfig{{Host: conf.Host, Port: conf.Port, TLSConfig: conf.TLSConfig}}, conf.Fallbacks...)
	for _, f := range all {
		a := address{f.Host, f.Port}
		if c := by[a]; c != nil {
			c.Fallbacks = append(c.Fallbacks, f)
			continue
		}
		c := conf.Copy()
		c.Host, c.Port, c.TLSConfig, c.Fallbacks = f.Host, f.Port, f.TLSConfig, nil
		by[a] = c
		out = append(out, c)
	}
	return out
}
