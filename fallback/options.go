package fallback

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A DialFunc opens a network connection; it must give up when ctx ends.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options of the adapters; all fields may be zero.
type Options struct {
	Tokens  adapters.TokenSources // needed by connections with oauth only
	RootCAs *x509.CertPool        // nil: the system's trust store; a connection's ca_file is added to it
	Dialer  DialFunc              // nil: the net package's; excludes a connection's source_address
	Now     func() time.Time      // nil: time.Now; also the clock of certificate checks
	Log     *slog.Logger          // nil: silent; never sees a secret or a message

	// Networks are those that a connection with public_only may reach besides
	// public addresses.
	Networks []netip.Prefix

	// OwnListener reports an address at which the program itself takes mail: no
	// connection may lead there, or one message goes round for ever. nil: there
	// is none.
	OwnListener func(netip.AddrPort) bool

	// PeerCertificate is called with the certificate of the server of a
	// connection (its id, and the host that was called) after each handshake that
	// succeeded, so that its end can be watched. It must return at once and may
	// be called by several goroutines. nil: no one asks.
	PeerCertificate func(connection, host string, leaf *x509.Certificate)

	// IdleTimeout is how long a connection is kept for the next message;
	// 0 means 30 s, negative keeps none.
	IdleTimeout time.Duration
	// MaxMessages is how many messages one connection carries; 0 means 100.
	MaxMessages int
	// Chunking sends bodies with BDAT (RFC 3030) where the server offers it.
	// DATA is the default: it learns who is refused before the body leaves, it
	// costs no round trip more, and filters in the path know nothing else.
	Chunking bool
	Timeouts Timeouts
}

// Timeouts bound each wait; zero fields take the values of RFC 5321 section
// 4.5.3.2 (and 30 s for dialling, one minute for the TLS handshake).
type Timeouts struct {
	Dial      time.Duration
	TLS       time.Duration
	Greeting  time.Duration // 4.5.3.2.1: 5 min
	Command   time.Duration // EHLO, AUTH, MAIL, RCPT: 5 min (4.5.3.2.2, 4.5.3.2.3)
	Batch     time.Duration // each reply to commands sent together (PIPELINING): 60 s, then once without
	DataInit  time.Duration // 4.5.3.2.4: 2 min
	DataBlock time.Duration // 4.5.3.2.5: 3 min
	DataEnd   time.Duration // 4.5.3.2.6: 10 min
	Liveness  time.Duration // reply to the NOOP that tests a kept connection: 10 s
	Quit      time.Duration // 2 s: a courtesy, nothing waits for it
}

// silence is how long a server may be silent before it is asked for TLS.
func (t Timeouts) silence() time.Duration { return min(6*time.Second, t.Greeting/2) }

func (t Timeouts) filled() Timeouts {
	for _, f := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&t.Dial, 30 * time.Second}, {&t.TLS, time.Minute}, {&t.Greeting, 5 * time.Minute}, {&t.Command, 5 * time.Minute},
		{&t.Batch, time.Minute}, {&t.DataInit, 2 * time.Minute}, {&t.DataBlock, 3 * time.Minute}, {&t.DataEnd, 10 * time.Minute},
		{&t.Liveness, 10 * time.Second}, {&t.Quit, 2 * time.Second},
	} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	return t
}

func (o Options) filled() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 30 * time.Second
	}
	if o.MaxMessages <= 0 {
		o.MaxMessages = 100
	}
	o.Timeouts = o.Timeouts.filled()
	return o
}

// Factory is New for an adapters.Router.
func Factory(opt Options) adapters.Factory {
	return adapters.FactoryOf(func(c *adapters.Connection) (*Adapter, error) { return New(c, opt) })
}
