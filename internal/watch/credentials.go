package watch

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A ListenerCertificate is what a listener of this node shows.
type ListenerCertificate struct {
	Address string // of the listener
	Leaf    *x509.Certificate
}

// ErrNotGranted is the error of Options.Credentials where the provider does not tell
// the connection when its credential ends.
var ErrNotGranted = errors.New("watch: the provider does not tell when the credential ends")

// known is when the credential of a connection was read last. What was read is in
// the state of the connection, for all nodes and whoever shows it.
type known struct {
	revision int64
	at       time.Time
}

// How often the credential of a connection is read again, how many in one round and
// side by side, and for how long a round begins to read others: a PFX costs some
// milliseconds, and a provider that does not answer the whole of its time.
const (
	rereadSoon   = time.Hour
	rereadLate   = 6 * time.Hour
	readAtOnce   = 200
	readParallel = 8
	readTimeout  = 15 * time.Second
	readPhase    = 20 * time.Second
)

// look finds everything that ends.
func (r *round) look(ctx context.Context) error {
	r.figures = figures{ends: map[credentialLabel]time.Time{}, listeners: map[string]time.Time{}}
	if err := r.reread(ctx); err != nil {
		return err
	}
	for _, c := range r.connections {
		if c.IsActive() {
			r.secretsOf(c)
			r.serverOf(c)
		}
	}
	for id := range r.credentials {
		if r.byID[id] == nil {
			delete(r.credentials, id)
		}
	}
	r.opt.Peers.keep(func(id string) bool { return r.byID[id] != nil })
	r.listeners()
	r.refused()
	r.budgets()
	return nil
}

// due reports whether a connection's credential should be read now.
func (r *round) due(c *gateway.Connection) bool {
	k, ok := r.credentials[c.ID]
	if !ok || k.revision != c.Revision || r.now.Sub(k.at) >= rereadLate || r.now.Before(k.at) {
		return true
	}
	end := r.states[c.ID].Credential
	return r.now.Sub(k.at) >= rereadSoon && !end.Ends.IsZero() && level(r.opt.Settings.Days, r.now, end.Ends, 0) != quiet
}

// A reading is what was read of one connection.
type reading struct {
	connection *gateway.Connection
	end        store.CredentialEnd
	err        error
}

// reread reads the credentials that are due and stores what has changed.
func (r *round) reread(ctx context.Context) error {
	if r.opt.Credentials == nil {
		return nil
	}
	var due []*gateway.Connection
	for _, c := range r.connections {
		if len(due) < readAtOnce && c.IsActive() && r.due(c) {
			due = append(due, c)
		}
	}
	for _, x := range r.readAll(ctx, due) {
		if err := r.took(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads some connections side by side. Those for which there is no time are
// left out, and due in the next round.
func (r *round) readAll(ctx context.Context, due []*gateway.Connection) (out []reading) {
	phase, cancel := context.WithTimeout(ctx, readPhase)
	defer cancel()
	var mu sync.Mutex
	var running sync.WaitGroup
	slots := make(chan struct{}, readParallel)
	for _, c := range due {
		select {
		case slots <- struct{}{}:
		case <-phase.Done():
		}
		if phase.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			one, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			end, err := r.opt.Credentials(one, c)
			mu.Lock()
			defer mu.Unlock()
			out = append(out, reading{c, end, err})
		})
	}
	running.Wait()
	return out
}

// took stores what was read where it is news. What cannot be read stays as it was.
func (r *round) took(ctx context.Context, x reading) error {
	c := x.connection
	r.credentials[c.ID] = known{c.Revision, r.now}
	if x.err != nil {
		if !errors.Is(x.err, ErrNotGranted) { // sending reports it too, with what to do
			r.opt.Log.Info("the end of a credential cannot be read", "connection", c.Name, "err", x.err)
		}
		return nil // it keeps nothing else from being looked at
	}
	if x.end = x.end.For(c.Revision); x.end == r.states[c.ID].Credential {
		return nil
	}
	if err := r.opt.Store.ChangeConnection(ctx, r.now, c.ID, store.ConnectionChange{Credential: &x.end}); err != nil {
		return err
	}
	st := r.states[c.ID]
	st.Credential = x.end
	r.states[c.ID] = st
	return nil
}

// secretsOf reports the ends of a connection's credential.
func (r *round) secretsOf(c *gateway.Connection) {
	st := r.states[c.ID]
	list := st.Ends(c)
	for _, x := range list {
		f := finding{key: x.Kind + ":" + c.ID, kind: x.Kind, connection: c.ID, name: c.Name, ends: x.Ends,
			level: level(r.opt.Settings.Days, r.now, x.Ends, 0)}
		f.message, f.hint = endingText(&f, x, r.now)
		r.found = append(r.found, f)
		r.figures.ends[credentialLabel{c.Name, x.Kind}] = x.Ends
	}
	if k, read := r.credentials[c.ID]; r.opt.Credentials != nil && (!read || k.revision != c.Revision) {
		return // nothing is known of the others
	}
	for _, kind := range []string{KindSecret, KindClientCertificate} {
		if !slices.ContainsFunc(list, func(x store.CredentialEnd) bool { return x.Kind == kind }) { // it has no end any more
			r.found = append(r.found, finding{key: kind + ":" + c.ID, kind: kind, connection: c.ID, name: c.Name, level: quiet})
		}
	}
}

// serverOf finds the end of the certificate that a connection's server showed.
func (r *round) serverOf(c *gateway.Connection) {
	p, ok := r.opt.Peers.of(c)
	if !ok {
		return
	}
	f := finding{key: serverKey(c), kind: KindServerCertificate, connection: c.ID, name: c.Name, ends: p.ends,
		level: level(r.opt.Settings.Days, r.now, p.ends, p.ends.Sub(p.begin))}
	f.message, f.hint = serverText(&f, r.now, p.host)
	r.found = append(r.found, f)
	r.figures.ends[credentialLabel{c.Name, KindServerCertificate}] = p.ends
}

// serverKey is the key of the alert on a connection's server.
func serverKey(c *gateway.Connection) string {
	return KindServerCertificate + ":" + c.ID + ":" + server(c)
}

// server is the server that a connection names, as those by SMTP do.
func server(c *gateway.Connection) string {
	set, names := c.Settings.(adapters.ServerSettings)
	if !names {
		return ""
	}
	host, _ := set.Server()
	return strings.ToLower(host)
}

// listeners finds the ends of this node's own certificates.
func (r *round) listeners() {
	if r.opt.Listeners == nil {
		return
	}
	shown := map[string]bool{}
	for _, l := range r.opt.Listeners() {
		if l.Leaf == nil {
			continue
		}
		f := finding{key: r.listenerKey(l.Address), kind: KindListener, name: l.Address, ends: l.Leaf.NotAfter,
			level: level(r.opt.Settings.Days, r.now, l.Leaf.NotAfter, l.Leaf.NotAfter.Sub(l.Leaf.NotBefore))}
		f.message, f.hint = listenerText(&f, r.now)
		r.found = append(r.found, f)
		r.figures.listeners[l.Address] = l.Leaf.NotAfter
		shown[f.key] = true
	}
	for key, a := range r.open { // a listener that is not there any more
		if a.Kind == KindListener && a.Open() && r.mine(a) && !shown[key] {
			r.found = append(r.found, finding{key: key, kind: KindListener, name: a.Name, ends: a.Ends, level: quiet})
		}
	}
}

// Peers remembers the certificates that servers showed when mail was sent to
// them. Safe for concurrent use; Saw costs a map entry a connection.
type Peers struct {
	mu sync.Mutex
	m  map[string]peer
}

type peer struct {
	host        string // as the connection names it, in lower case
	begin, ends time.Time
}

// NewPeers makes an empty memory.
func NewPeers() *Peers { return &Peers{m: map[string]peer{}} }

// Saw notes the certificate that the server of a connection showed.
func (p *Peers) Saw(connection, host string, leaf *x509.Certificate) {
	if leaf == nil || connection == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m[connection] = peer{strings.ToLower(host), leaf.NotBefore, leaf.NotAfter}
}

// of is the certificate of the server that c names now.
func (p *Peers) of(c *gateway.Connection) (peer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen, ok := p.m[c.ID]
	return seen, ok && seen.host == server(c)
}

// keep forgets the connections that are no more.
func (p *Peers) keep(wanted func(id string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.m {
		if !wanted(id) {
			delete(p.m, id)
		}
	}
}

// endingText is what is reported of a credential.
func endingText(f *finding, end store.CredentialEnd, now time.Time) (message, hint mime.Text) {
	ended := !f.ends.After(now)
	if f.kind == KindClientCertificate {
		hint = mime.NewText("watch.client_certificate_hint",
			"upload a new certificate to the app registration first, then give it to the connection {name}, then remove the old one",
			"name", f.name)
		if ended {
			return mime.NewText("watch.client_certificate_ended", "the client certificate of {name} ended on {date}: its mail waits", "name",
				f.name, "date", date(f.ends)), hint
		}
		return mime.NewText("watch.client_certificate_ends", "the client certificate of {name} ends on {date}", "name", f.name, "date",
			date(f.ends)), hint
	}
	hint = mime.NewText("watch.secret_hint",
		"make a new secret at the provider, enter it with 'postino connection edit {name}' together with secret_expires, then remove the old one",
		"name", f.name)
	if !end.Certain() {
		return mime.NewText("watch.secret_one_ends", "a client secret of the application of {name} ends on {date}; which of its {among} secrets "+
			"{name} uses cannot be told", "name", f.name, "date", date(f.ends), "among", end.Among), hint
	}
	if ended {
		return mime.NewText("watch.secret_ended", "the secret of {name} ended on {date}", "name", f.name, "date", date(f.ends)), hint
	}
	return mime.NewText("watch.secret_ends", "the secret of {name} ends on {date}", "name", f.name, "date", date(f.ends)), hint
}

func serverText(f *finding, now time.Time, host string) (message, hint mime.Text) {
	hint = mime.NewText("watch.server_certificate_hint",
		"the administrator of {host} must renew it: from that day on nothing can be sent through {name}", "host", host, "name", f.name)
	if !f.ends.After(now) {
		return mime.NewText("watch.server_certificate_ended", "the certificate of {host} ended on {date}", "host", host, "date",
			date(f.ends)), hint
	}
	return mime.NewText("watch.server_certificate_ends", "the certificate of {host} ends on {date}", "host", host, "date",
		date(f.ends)), hint
}

func listenerText(f *finding, now time.Time) (message, hint mime.Text) {
	hint = mime.NewText("watch.listener_certificate_hint",
		"renew the files cert_file and key_file of the listener; they are read again by themselves within 10 seconds")
	if !f.ends.After(now) {
		return mime.NewText("watch.listener_certificate_ended",
			"the certificate of the listener {address} ended on {date}: programs that check it do not connect", "address", f.name, "date",
			date(f.ends)), hint
	}
	return mime.NewText("watch.listener_certificate_ends", "the certificate of the listener {address} ends on {date}", "address", f.name,
		"date", date(f.ends)), hint
}
