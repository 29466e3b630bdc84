package app

import (
	"crypto/x509"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/watch"
)

// wireWatch makes what watches for ends, unless it is switched off.
func (s *server) wireWatch(giveUp time.Duration) (err error) {
	c := &s.conf.Watch
	if c.Off {
		return nil
	}
	s.watcher, err = watch.New(watch.Options{Store: s.store, Connections: s.conns, Node: s.conf.Node, Hostname: s.conf.Hostname,
		Settings: watch.Settings{Mail: c.Recipients, Connection: c.Connection, Language: c.Language, Days: c.Days, Budget: c.Budget,
			Waiting: time.Duration(c.Waiting)},
		GiveUp: giveUp, Credentials: newEndReader(s.roots, s.log).credentialEnd, Listeners: s.shown.list, Peers: s.peers, Log: s.log})
	return err
}

// shownCertificates are those of the listeners that are open. Safe for
// concurrent use.
type shownCertificates struct {
	mu  sync.Mutex
	all []func() map[string]*x509.Certificate
}

func (s *shownCertificates) add(f func() map[string]*x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, f)
}

func (s *shownCertificates) list() (out []watch.ListenerCertificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.all {
		for address, leaf := range f() {
			out = append(out, watch.ListenerCertificate{Address: address, Leaf: leaf})
		}
	}
	return out
}

// certificates is the certificate in use, by the address of the listener.
func (d *httpListener) certificates() map[string]*x509.Certificate {
	if d.cert == nil {
		return nil
	}
	pair, err := d.cert.Get(nil)
	if err != nil { // it never is: the certificate before stays in use
		return nil
	}
	return map[string]*x509.Certificate{d.Addr(): pair.Leaf}
}
