package smtpd

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// Options of a Server.
type Options struct {
	Hostname  string // in the greeting
	Listeners []config.Listener
	Submit    *submit.Submitter
	Clients   *registry.Clients
	Programs  *programs.Recorder // notes logins and refusals; nil: no one does
	// CheckSecret reports whether hash was made of secret. An empty hash stands for
	// a name that does not exist: it must take as long and return false.
	CheckSecret func(hash, secret string) bool
	Budget      *spool.Budget // of disk space for incoming messages; nil: unbounded
	SpoolDir    string        // for messages while they arrive; store.SpoolDir
	DataDir     string        // for the self-signed certificate
	Postmaster  mime.Mailbox  // the address that RCPT TO:<postmaster> stands for; none: it is refused
	MaxSize     int64         // largest message in bytes when no route allows less; 150 MiB
	Counts      *Counts       // of what the listeners do; nil: of its own
	Log         *slog.Logger
	Limits      Limits
}

// Counts are what the listeners have done since the start. They may be read at any time.
type Counts struct {
	Sessions, SessionsRefused   atomic.Int64 // refused: by address, or over the most at once
	Messages, Deferred, Refused atomic.Int64 // deferred: with a 4xx reply, at MAIL or behind the content
	Logins, LoginsRefused       atomic.Int64
}

// Limits of sessions; zero fields take the defaults.
type Limits struct {
	Command      time.Duration // for one command line, from the reply before it; 5 min (RFC 5321 section 4.5.3.2.7)
	Handshake    time.Duration // for TLS; 30 s
	Data         time.Duration // for the next piece of a message; 3 min (RFC 5321 section 4.5.3.2.5)
	Write        time.Duration // for the peer to take a reply; 1 min
	Session      time.Duration // for a whole session, between two messages; 2 h
	Grace        time.Duration // for messages in progress when the server stops; 10 s
	MinRate      int64         // slowest rate of a message in bytes a second, after SlowStart; 200
	SlowStart    time.Duration // 3 min
	Errors       int           // bad commands before the session ends; 20
	IdleCommands int           // commands other than MAIL, RCPT, DATA and BDAT between two messages; 200
	AuthFails    int           // of one session; 3
	AuthDelay    time.Duration // of the reply to a first failure, doubled for each further one; 500 ms, at most 16 times
	AuthBlock    time.Duration // how long an address or a name is blocked; 15 min
	AddrFails    int           // different wrong logins of one address before it is blocked; 10
	NameFails    int           // different wrong secrets for one name before it is blocked; 25
}

func (o *Options) complete() error {
	if o.Counts == nil {
		o.Counts = new(Counts)
	}
	if o.Submit == nil || o.Clients == nil || o.CheckSecret == nil {
		return errors.New("smtpd: a submitter, the clients and a way to check secrets are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Hostname == "" {
		o.Hostname = "postino.localdomain"
	}
	if o.MaxSize <= 0 {
		o.MaxSize = 150 << 20
	}
	l := &o.Limits
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{
		{&l.Command, 5 * time.Minute}, {&l.Handshake, 30 * time.Second}, {&l.Data, 3 * time.Minute}, {&l.Write, time.Minute},
		{&l.Session, 2 * time.Hour}, {&l.Grace, 10 * time.Second}, {&l.SlowStart, 3 * time.Minute},
		{&l.AuthDelay, 500 * time.Millisecond}, {&l.AuthBlock, 15 * time.Minute},
	} {
		if *d.p <= 0 {
			*d.p = d.v
		}
	}
	for _, n := range []struct {
		p *int
		v int
	}{{&l.Errors, 20}, {&l.IdleCommands, 200}, {&l.AuthFails, 3}, {&l.AddrFails, 10}, {&l.NameFails, 25}} {
		if *n.p <= 0 {
			*n.p = n.v
		}
	}
	if l.MinRate <= 0 {
		l.MinRate = 200
	}
	return nil
}
