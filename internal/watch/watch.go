// Package watch tells administrators in time of what ends or runs out: certificates, secrets, daily budgets, refused
// credentials and mail that waits.
//
// A round compares what is with the alerts that are stored. What is new is
// stored together with its event, under the record's revision: of several nodes
// one succeeds, so that each alert is reported once. Mail about it is handed
// over afterwards with a key that tells repeats, and leaves through a connection
// that does not share what is broken.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Settings are what an administrator chooses; see config.Watch. No field may be zero but Mail, Connection and Language.
type Settings struct {
	Mail       []mime.Mailbox // whom alerts are mailed to; empty: no one
	Connection string         // name of the connection that carries them; empty: any other that works
	Language   string         // of the mail
	Days       []int          // before an end, on which it is reported
	Budget     int            // per cent of a mailbox's recipients a day
	Waiting    time.Duration  // how long mail may wait; negative: for ever
}

// Options of a Watcher.
type Options struct {
	Store       store.Store
	Connections *registry.Connections
	Node        string // name of this node: listeners are its own
	Hostname    string // domain of Message-IDs
	Settings    Settings
	GiveUp      time.Duration // when an alert's mail expires

	// Credentials reads when the credential of a connection ends, besides the date that
	// was entered with it; zero: it has no end that can be read. Called from several
	// goroutines. The error may be ErrNotGranted. nil: nothing is read.
	Credentials func(ctx context.Context, c *gateway.Connection) (store.CredentialEnd, error)
	// Listeners are the certificates of this node's listeners; nil: none.
	Listeners func() []ListenerCertificate
	Peers     *Peers // certificates of servers that mail was sent to; nil: none

	Every time.Duration // between two rounds; a minute
	Log   *slog.Logger  // nil: silent
	Now   func() time.Time
}

// A Watcher watches. Safe for concurrent use.
type Watcher struct {
	opt Options

	mu          sync.Mutex // one round at a time
	credentials map[string]known

	shown sync.Mutex
	last  figures
}

// every is the pause between two rounds; first comes before the first one,
// because a server that starts has mail to take.
const (
	every = time.Minute
	first = 2 * time.Second
)

// keepResolved is how long an alert is kept after it was resolved.
const keepResolved = 30 * 24 * time.Hour

// New makes a Watcher. Run, or Round again and again, does the work.
func New(o Options) (*Watcher, error) {
	if o.Store == nil || o.Connections == nil {
		return nil, errors.New("watch: a store and its connections are needed")
	}
	if o.Every <= 0 {
		o.Every = every
	}
	if o.GiveUp <= 0 {
		o.GiveUp = store.GiveUp
	}
	if o.Hostname == "" {
		o.Hostname = "postino.localdomain"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Peers == nil {
		o.Peers = NewPeers()
	}
	return &Watcher{opt: o, credentials: map[string]known{}}, nil
}

// Run does a round now and then until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	t := time.NewTimer(min(first, w.opt.Every))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		t.Reset(w.opt.Every)
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			w.opt.Log.Warn("what ends or runs out could not be looked at", "err", err)
		}
	}
}

// A round is one look at everything.
type round struct {
	*Watcher
	now         time.Time
	connections []*gateway.Connection
	byID        map[string]*gateway.Connection
	states      map[string]store.ConnectionState
	lanes       []store.Lane
	open        map[string]*store.Alert // by key, resolved ones too
	found       []finding
	whole       map[string]bool // kinds of which found has all there are
	figures     figures

	refusedNames map[string]bool // of credentials that are refused
}

// Round looks at everything once and reports what is new.
func (w *Watcher) Round(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &round{Watcher: w, now: w.opt.Now(), byID: map[string]*gateway.Connection{}, states: map[string]store.ConnectionState{},
		open: map[string]*store.Alert{}, whole: map[string]bool{}, refusedNames: map[string]bool{}}
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.waiting(ctx); err != nil {
		return err
	}
	r.show()
	if err := r.report(ctx); err != nil {
		return err
	}
	return r.mail(ctx)
}

// read reads what a round goes by.
func (r *round) read(ctx context.Context) (err error) {
	if r.connections, err = r.opt.Connections.All(ctx); err != nil {
		return err
	}
	for _, c := range r.connections {
		r.byID[c.ID] = c
	}
	states, err := r.opt.Store.ConnectionStates(ctx)
	if err != nil {
		return err
	}
	for _, st := range states {
		r.states[st.Connection] = st
	}
	if r.lanes, err = registry.Lanes(ctx, r.opt.Store); err != nil {
		return err
	}
	alerts, err := r.opt.Store.Alerts(ctx)
	for i := range alerts {
		r.open[alerts[i].Key] = &alerts[i]
	}
	return err
}
