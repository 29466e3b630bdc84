package fallback

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/net/idna"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/mime"
)

// An Adapter sends over one plain SMTP connection. It is an adapters.Adapter, safe for
// concurrent use.
type Adapter struct {
	conn     *adapters.Connection
	set      *Settings
	opt      Options
	host     string // ASCII
	addr     string // host and port
	hostname string // for EHLO
	tls      *trust
	tokens   adapters.TokenSource // nil without oauth
	pool     *pool
	maxSize  atomic.Int64 // the SIZE last seen
	relayed  atomic.Bool  // the server has taken a recipient
	distrust distrust     // extensions that failed
}

// New makes the adapter of an SMTP connection without touching the network.
// The envelope sender of each message goes out as it is, the empty one as <>.
func New(conn *adapters.Connection, opt Options) (*Adapter, error) {
	if conn == nil || SettingsOf(conn) == nil {
		return nil, adapters.ConfigError(adapters.SMTP, mime.NewText("smtp.no_settings", "the connection has no smtp object"))
	}
	opt = opt.filled()
	set := *SettingsOf(conn)
	host, err := idna.Lookup.ToASCII(set.Host)
	if err != nil {
		host = set.Host // an address, or a name that only this network knows
	}
	set.Host = host
	a := &Adapter{conn: conn, set: &set, opt: opt, host: host, addr: set.Address(), hostname: set.Hostname}
	if a.hostname == "" {
		if name, err := os.Hostname(); err == nil { // without one the address literal serves
			a.hostname = name
		}
	}
	// names are looked at when they are called
	if _, err := netip.ParseAddr(host); err == nil && errors.Is(a.reachable(a.addr), errOwnListener) {
		return nil, a.dialError(context.Background(), errOwnListener)
	}
	if opt.Dialer != nil && set.SourceAddress != "" {
		return nil, settingError("source_address", mime.NewText("smtp.needs_own_dialer", "it needs the built-in dialer"))
	}
	if a.tls, err = newTrust(host, set.CAFile, opt); err != nil {
		return nil, unusableCA(err)
	}
	if set.OAuth != nil {
		if opt.Tokens == nil {
			return nil, adapters.ConfigError(adapters.SMTP, mime.NewText("smtp.no_tokens", "Options.Tokens is missing"))
		}
		if a.tokens, err = opt.Tokens.TokenSource(conn, set.OAuth.audience()); err != nil {
			return nil, err
		}
	}
	a.pool = &pool{limit: conn.EffectiveLimits().Concurrency, idle: opt.IdleTimeout, maxAge: 5 * time.Minute,
		maxUse: opt.MaxMessages, now: opt.Now, lanes: make(map[string]*lane)}
	return a, nil
}

// staleAfter is the idle time from which a kept session is tested before use.
const staleAfter = 5 * time.Second

// session returns a kept session that is alive, or a new one.
func (a *Adapter) session(ctx context.Context, l *lane, user string, fresh bool) (*session, error) {
	for !fresh {
		s := a.pool.take(l)
		if s == nil {
			break
		}
		if a.opt.Now().Sub(s.used) < staleAfter {
			return s, nil
		}
		release := s.bind(ctx)
		if alive := s.alive(); release() && alive {
			return s, nil
		}
		s.kill()
		if ctx.Err() != nil {
			return nil, a.cancelled(ctx)
		}
	}
	return a.login(ctx, user)
}

// user is the mailbox that a message leaves through.
func (a *Adapter) user(out adapters.Outgoing) string {
	from := out.Envelope.From
	if h := out.Message.From(); len(h) > 0 {
		from = h[0].Address
	}
	if from.IsZero() && a.set.Login == "" {
		return a.conn.From
	}
	return a.conn.Mailbox(from)
}

// Check implements adapters.Adapter.
func (a *Adapter) Check(out adapters.Outgoing) error {
	p, err := a.plan(out)
	if err != nil {
		return err
	}
	if err := allRefused(p.rcpts); err != nil {
		return err
	}
	if limit := a.maxSize.Load(); limit > 0 && p.view.Size() > limit {
		return a.errTooLarge(p.view.Size(), limit)
	}
	return nil
}

// MaxSize implements adapters.Adapter: the SIZE that the server announced last.
func (a *Adapter) MaxSize() int64 { return a.maxSize.Load() }

func (a *Adapter) learned(c capabilities) { a.maxSize.Store(c.size()) }

// Probe implements adapters.Adapter: connect, TLS, EHLO, AUTH, NOOP, QUIT.
func (a *Adapter) Probe(ctx context.Context) error {
	rec := stages.NewRecorder(a.opt.Now, func(stages.Stage) {})
	(&tester{Adapter: a, rec: rec}).run(ctx)
	return rec.Err()
}

// Close implements adapters.Adapter.
func (a *Adapter) Close() error {
	a.pool.close()
	return nil
}

// settingError is why a setting of the connection cannot be used.
func settingError(field string, reason any) *adapters.Error {
	e := adapters.ConfigError(adapters.SMTP, mime.NewText("smtp.config",
		"the setting smtp.{field} of the connection cannot be used ({reason})", "field", field, "reason", reason))
	e.Hint = mime.NewText("smtp.config_hint", "correct smtp.{field}", "field", field)
	return e
}

// unusableCA is why ca_file cannot be used.
func unusableCA(err error) *adapters.Error {
	e := settingError("ca_file", shown(err.Error()))
	e.Err = err
	return e
}

// shown makes a name or path of the configuration safe to show.
func shown(s string) string { return (&censor{}).show(s) }
