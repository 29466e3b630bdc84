// Package programs remembers which programs and devices submit, by how they do it, so that an administrator sees who
// still sends and how, and when clients and keys were used and refused the last time.
//
// A sighting costs a look-up in memory; what was seen is written in batches,
// and how much is kept of one client is bounded.
package programs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds.
const (
	MostOfClient = 64 // programs that are kept of one client
	mostPending  = 4096
	longest      = 120 // characters of one trait: strangers choose them
)

// How often what was seen is written.
const (
	flushEvery = 30 * time.Second // programs
	usesEvery  = 5 * time.Second  // uses of which none was written lately
)

// A Peer is what a listener knows of who submits.
type Peer struct {
	Address netip.Addr
	Hello   string // name in EHLO or HELO
	Auth    string // SASL mechanism
	TLS     uint16 // version; 0: none
	Agent   string // of a request by HTTP
}

// A Sighting is one message of a program.
type Sighting struct {
	Client     string // id; empty: none
	EntryPoint string
	Peer       Peer
	Agent      string // X-Mailer or User-Agent of the message; empty: Peer.Agent
	MessageID  string // as the program made it; empty: it made none
	From       string
	Connection string // id
	At         time.Time
}

// traits are what a program is known by.
type traits struct {
	client, entryPoint, hello, auth, agent, idForm string
	address                                        netip.Addr
	tls                                            uint16
}

type seen struct {
	messages         int64
	first, last      time.Time
	from, connection string
}

// A Recorder collects sightings. Safe for concurrent use.
type Recorder struct {
	store recorded
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	pending map[traits]*seen
	clients map[string]int // new traits since the last flush
	uses    map[string]*store.Use
	written map[string]time.Time // of uses, when one was written within the last minute
}

// recorded is where what was seen goes.
type recorded interface {
	store.Programs
	store.Uses
}

// New makes a Recorder; Run writes what it collects.
func New(s recorded, log *slog.Logger) *Recorder {
	return &Recorder{store: s, log: log, now: time.Now, pending: map[traits]*seen{}, clients: map[string]int{}, uses: map[string]*store.Use{},
		written: map[string]time.Time{}}
}

// Saw notes a message. What goes beyond the bounds is not noted.
func (r *Recorder) Saw(s Sighting) {
	r.Used(s.Client, s.EntryPoint, s.Peer.Address, s.At)
	t := traits{client: s.Client, entryPoint: s.EntryPoint, hello: bounded(s.Peer.Hello), auth: s.Peer.Auth, agent: bounded(s.Agent),
		idForm: idForm(s.MessageID), address: s.Peer.Address, tls: s.Peer.TLS}
	if t.agent == "" {
		t.agent = bounded(s.Peer.Agent)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.pending[t]
	if x == nil {
		if len(r.pending) >= mostPending || r.clients[t.client] >= MostOfClient {
			return
		}
		x = &seen{first: s.At}
		r.pending[t] = x
		r.clients[t.client]++
	}
	x.messages++
	x.last, x.from, x.connection = s.At, s.From, s.Connection
}

// Run writes what was seen now and then, and at the end once more.
func (r *Recorder) Run(ctx context.Context) {
	var failing struct{ programs, uses bool }
	t, uses := time.NewTicker(flushEvery), time.NewTicker(usesEvery)
	defer t.Stop()
	defer uses.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			r.tried(&failing.programs, r.flushPrograms(last))
			r.tried(&failing.uses, r.flushUses(last, true))
			return
		case <-t.C:
			r.tried(&failing.programs, r.flushPrograms(ctx))
		case <-uses.C:
			r.tried(&failing.uses, r.flushUses(ctx, false))
		}
	}
}

// tried notes in the log when writing begins to fail and when it works again; between
// the two there is always something to write, which is what could not be written.
func (r *Recorder) tried(failing *bool, err error) {
	switch {
	case err != nil && !*failing:
		r.log.Warn("what programs submit could not be noted; it is tried again", "err", err)
	case err == nil && *failing:
		r.log.Info("what programs submit is noted again")
	}
	*failing = err != nil
}

// batch is how many are written in one transaction.
const batch = 256

// Flush writes what was seen. What could not be written is kept for the next time.
func (r *Recorder) Flush(ctx context.Context) error {
	return errors.Join(r.flushPrograms(ctx), r.flushUses(ctx, true))
}

func (r *Recorder) flushPrograms(ctx context.Context) error {
	r.mu.Lock()
	pending := r.pending
	r.pending, r.clients = map[traits]*seen{}, map[string]int{}
	r.mu.Unlock()
	list := make([]store.Program, 0, min(len(pending), batch))
	var keys []traits
	write := func() error {
		if len(list) == 0 {
			return nil
		}
		if err := r.store.SawPrograms(ctx, list, MostOfClient); err != nil {
			return err
		}
		for _, t := range keys {
			delete(pending, t)
		}
		list, keys = list[:0], keys[:0]
		return nil
	}
	for t, x := range pending {
		list, keys = append(list, t.program(x)), append(keys, t)
		if len(list) == batch {
			if err := write(); err != nil {
				r.keep(pending)
				return err
			}
		}
	}
	if err := write(); err != nil {
		r.keep(pending)
		return err
	}
	return nil
}

// keep takes what was not written back.
func (r *Recorder) keep(pending map[traits]*seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, x := range pending {
		now := r.pending[t]
		if now == nil {
			if len(r.pending) < mostPending {
				r.pending[t] = x
				r.clients[t.client]++
			}
			continue
		}
		now.messages += x.messages
		now.first = x.first
	}
}

// program is the record of what was seen.
func (t traits) program(x *seen) store.Program {
	p := store.Program{Client: t.client, EntryPoint: t.entryPoint, Hello: t.hello, Auth: t.auth, Agent: t.agent, IDForm: t.idForm,
		Address: address(t.address), From: x.from, Connection: x.connection, Messages: x.messages, FirstAt: store.Micro(x.first),
		LastAt: store.Micro(x.last)}
	if t.tls != 0 {
		p.TLS = tls.VersionName(t.tls)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %q", p.EntryPoint, p.Address, p.Hello, p.Auth, p.TLS, p.Agent, p.IDForm))
	p.Digest = hex.EncodeToString(sum[:16])
	return p
}

// bounded is a trait without what cannot be shown, and not too long.
func bounded(s string) string {
	ok := len(s) <= longest
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= ' ' && s[i] <= '~'
	}
	if ok {
		return s
	}
	if len(s) > longest {
		s = s[:longest]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\ufffd' {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}

// idForm is the form of the Message-IDs that a program makes: what changes from
// one to the next is x, and its own words, the separators and the host stay:
// <x.x.JavaMail.x@erp01>.
func idForm(id string) string {
	id = strings.TrimSpace(id)
	if id == "" || len(id) > 998 {
		return ""
	}
	left, host, _ := strings.Cut(strings.Trim(id, "<>"), "@")
	var b strings.Builder
	b.Grow(64)
	parts := 0
	for len(left) > 0 && parts < 8 {
		end := strings.IndexAny(left, ".$!:/")
		part := left
		if end >= 0 {
			part = left[:end]
		}
		switch {
		case word(part):
			b.WriteString(part)
		case part != "":
			b.WriteByte('x')
		}
		if end < 0 {
			break
		}
		b.WriteByte(left[end])
		left = left[end+1:]
		parts++
	}
	return bounded("<" + b.String() + "@" + strings.ToLower(host) + ">")
}

// word reports a part that is the program's own: letters alone, with a capital
// behind a small one, as JavaMail and PHPMailer have; random ones have digits.
func word(s string) bool {
	if len(s) < 6 || len(s) > 24 {
		return false
	}
	small, mixed := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			small++
		case c >= 'A' && c <= 'Z':
			mixed = mixed || i > 0
		default:
			return false
		}
	}
	return mixed && 3*small >= 2*len(s)
}
