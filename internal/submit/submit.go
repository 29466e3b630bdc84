// Package submit accepts messages: every entry point hands them to it, and it
// checks and completes each, chooses its connection and stores it durably
// before it answers. It also settles the envelope and makes sure that the size
// can leave on some route.
package submit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/telemetry"
	"github.com/postino-mail/postino/mime"
)

// connectionHeader names a connection from inside a message; it is removed.
const connectionHeader = "X-Postino-Connection"

// Adapters finds the adapter of a connection; *adapters.Router does.
type Adapters interface {
	Adapter(c *adapters.Connection) (adapters.Adapter, error)
}

// Options of a Submitter; zero fields take the defaults.
type Options struct {
	Store       store.Store
	Connections *registry.Connections
	Clients     *registry.Clients // nil: a Request's client is as it is given
	Adapters    Adapters
	Hostname    string // domain of Message-IDs that must be made
	// Installation names all nodes of this gateway in the trace of each message,
	// by which mail that comes back is known; empty: none is left.
	Installation string

	MaxSize       int64                                   // of a message, whatever routes carry; 150 MiB (contracts B2.4)
	MaxRecipients int                                     // of a submission; 10,000
	JoinWindow    time.Duration                           // how long a message waits for its siblings; 2 s, negative: never
	GiveUp        func(*gateway.Connection) time.Duration // when a delivery expires; 72 h
	WarnAfter     time.Duration                           // when the sender of a late one is told; 4 h, negative: never
	Events        bool
	Programs      *programs.Recorder // notes who submits; nil: no one does
	Tracer        *telemetry.Tracer  // nil: nothing is traced
}

// A Submitter takes messages in. Safe for concurrent use.
type Submitter struct {
	opt   Options
	conns *registry.Connections

	mu     sync.Mutex
	limits map[string]*clientLimit

	routes *table
}

type clientLimit struct {
	perMinute int
	*rate.Limiter
}

// New makes a Submitter.
func New(o Options) (*Submitter, error) {
	if o.Store == nil || o.Adapters == nil || o.Connections == nil {
		return nil, errors.New("submit: a store, its connections and adapters are needed")
	}
	if o.MaxSize <= 0 {
		o.MaxSize = 150 << 20
	}
	if o.MaxRecipients <= 0 {
		o.MaxRecipients = 10000
	}
	if o.JoinWindow == 0 {
		o.JoinWindow = 2 * time.Second
	}
	if o.WarnAfter == 0 {
		o.WarnAfter = 4 * time.Hour
	}
	if o.GiveUp == nil {
		o.GiveUp = func(*gateway.Connection) time.Duration { return store.GiveUp }
	}
	if o.Hostname == "" {
		o.Hostname = "postino.localdomain"
	}
	return &Submitter{routes: newTable(), opt: o, conns: o.Connections, limits: make(map[string]*clientLimit)}, nil
}

// Adapters finds the adapters of connections, as the Submitter does.
func (s *Submitter) Adapters() Adapters { return s.opt.Adapters }

// A Request is one message as an entry point hands it over.
type Request struct {
	Client     *store.Client // who submits; nil: this machine's administrator
	Owner      string        // id of the person who submits: only connections that they own; empty: any
	EntryPoint string        // smtp, api, sendmail, pickup, go
	Message    *spool.Buffer // raw; the caller closes it after Submit
	Envelope   mime.Envelope // no recipients: those of the header are taken
	Connection string        // by name or id; empty: the header X-Postino-Connection, or routing
	Through    bool          // Connection carries it, whatever takes all other mail
	Class      string        // transactional, bulk; empty: by the client or the message
	Tag        string
	Metadata   store.Metadata // within MaxMetadata and so on
	NotBefore  time.Time      // scheduled sending; zero: now
	Protocol   string         // in the trace (RFC 3848); empty: by the entry point
	OwnFrom    bool           // a message without From is from the envelope's sender
	Lenient    bool           // repair what old devices do (mime.AcceptOptions)
	// Unheard: the answer goes over a session that may break, and Heard is called
	// when the client has it. Not looked at with an idempotency key, which tells
	// repeats by itself.
	Unheard bool
	// Distinct: it is a message of its own, however alike another one is that came
	// by another entry point. A file of the pickup folder is: no one waits for an answer to it.
	Distinct bool
	Peer     programs.Peer // who hands it over, as far as the entry point knows
	// Said is what was said with its program, a line each, without anything secret and
	// anything of the message's content.
	Said string
}

// A Result is what will happen to a message that was taken.
type Result struct {
	store.Submitted
	MessageID  string // RFC 5322, with angle brackets
	Connection *gateway.Connection
	Recipients []mime.Recipient
	Size       int64
}

// Submit takes one message. When it returns nil, the message is durable. The
// error is a *Refusal.
func (s *Submitter) Submit(ctx context.Context, r Request) (Result, error) {
	out, err := s.SubmitAll(ctx, []Request{r}, nil)
	if err != nil {
		return Result{}, err
	}
	return out[0], nil
}

// SubmitAll takes several messages in one transaction: all or none. With an
// idempotency key that was used before with the same request, the answer of
// then is given and nothing is stored: nothing of the request is checked, since
// what it needs may be gone by now. Only the embedded Submitted of such Results
// is set.
func (s *Submitter) SubmitAll(ctx context.Context, list []Request, key *store.Idempotency) ([]Result, error) {
	span := s.opt.Tracer.Start(ctx, "submit", telemetry.Server)
	out, err := s.submitAll(ctx, list, key, span.Traceparent())
	if span != nil && len(list) > 0 {
		traced(span, list[0].EntryPoint, out, err)
	}
	return out, err
}

func (s *Submitter) submitAll(ctx context.Context, list []Request, key *store.Idempotency, trace string) ([]Result, error) {
	sub := store.Submission{Now: time.Now(), Idempotency: key}
	out := make([]Result, len(list))
	if key != nil {
		done, err := s.opt.Store.Replay(ctx, sub.Now, *key)
		if err != nil {
			return nil, AsRefusal(err)
		}
		if len(done) > 0 {
			return answered(done, out)
		}
	}
	var sightings []programs.Sighting
	var spools []*spool.Buffer
	defer func() {
		for _, b := range spools {
			b.Close() // only an unread temporary file: nothing is lost with it
		}
	}()
	for i := range list {
		p, err := s.ready(ctx, &list[i], sub.Now, key != nil)
		if p != nil {
			spools = append(spools, p.spools...)
		}
		if err != nil {
			r := AsRefusal(err)
			s.refused(list[i].Client, list[i].EntryPoint, list[i].Peer, r)
			if len(list) > 1 {
				c := *r
				c.Field = strings.TrimSuffix(fmt.Sprintf("messages[%d].%s", i, r.Field), ".")
				r = &c
			}
			return nil, r
		}
		p.message.Trace = trace
		sub.Messages = append(sub.Messages, p.message)
		out[i] = p.result
		if s.opt.Programs != nil {
			sightings = append(sightings, p.sighting)
		}
		if s.opt.Events {
			sub.Events = append(sub.Events, p.event)
		}
	}
	done, err := s.opt.Store.Submit(ctx, sub)
	if err != nil {
		return nil, AsRefusal(err)
	}
	for i := range sightings {
		s.opt.Programs.Saw(sightings[i])
	}
	return answered(done, out)
}

// answered puts an answer of the store into the results.
func answered(done []store.Submitted, out []Result) ([]Result, error) {
	if len(done) != len(out) { // of another request under the same key
		return nil, AsRefusal(store.ErrIdempotency)
	}
	for i := range done {
		out[i].Submitted = done[i]
	}
	return out, nil
}

// CheckMail refuses at MAIL FROM what can be known then: the sender a client
// may not use, the size that no route carries (0: not declared).
func (s *Submitter) CheckMail(ctx context.Context, c *store.Client, peer programs.Peer, from mime.Mailbox, size int64) error {
	start := time.Now()
	err := s.checkMail(ctx, c, from, size)
	if final(err) {
		now, changed, lerr := s.lookAgain(ctx, c, start)
		switch {
		case lerr != nil:
			return AsRefusal(lerr)
		case changed:
			err = s.checkMail(ctx, now, from, size)
		}
	}
	if err != nil {
		s.refused(c, "smtp", peer, AsRefusal(err))
	}
	return err
}

// refused notes a refusal of what a client submits.
func (s *Submitter) refused(c *store.Client, entryPoint string, peer programs.Peer, r *Refusal) {
	if c == nil {
		return
	}
	s.opt.Programs.Refused(programs.Refusal{Client: c.ID, EntryPoint: entryPoint, Address: peer.Address, Code: r.Code, Reason: r.Message,
		At: time.Now()})
}

func (s *Submitter) checkMail(ctx context.Context, c *store.Client, from mime.Mailbox, size int64) error {
	limit, err := s.MaxSize(ctx)
	if err != nil {
		return AsRefusal(err)
	}
	if size > limit {
		return tooLarge(size, limit)
	}
	return CheckSender(c, "from", from)
}

func tooLarge(size, limit int64) *Refusal {
	return refuse(http.StatusRequestEntityTooLarge, 552, "5.3.4", "too_large", "",
		mime.NewText("submit.too_large", "the message has {size} bytes and no route carries more than {limit}", "size", size, "limit", limit),
		mime.NewText("submit.too_large_hint", "send smaller attachments, or add a connection that carries this size"))
}

// CheckSender refuses an address that the client may not use, as From or as
// envelope sender. Every entry point is held to it in Submit; those that learn a
// sender before the message ask here first. field is what the refusal names.
func CheckSender(c *store.Client, field string, from mime.Mailbox) error {
	if c == nil || from.IsZero() || senderAllowed(c, from) {
		return nil
	}
	r := senderRefused(from)
	r.Field = field
	return r
}

func senderAllowed(c *store.Client, from mime.Mailbox) bool {
	return len(c.Senders) == 0 || (&gateway.Connection{Connection: adapters.Connection{Aliases: c.Senders}}).MatchesFrom(from)
}

func senderRefused(from mime.Mailbox) *Refusal {
	return refuse(http.StatusForbidden, 550, "5.7.1", "sender_not_allowed", "from",
		mime.NewText("submit.sender_not_allowed", "this client may not send as {from}", "from", from),
		mime.NewText("submit.sender_not_allowed_hint", "ask the administrator to add the sender to the client"))
}

// Allow counts n deliveries against the client's rate. One that has any left may
// make all of them, and waits the longer for the next: a submission that is split
// is not refused for ever.
func (s *Submitter) Allow(c *store.Client, n int) error {
	if c == nil || c.PerMinute <= 0 || n <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits[c.ID]
	if l == nil || l.perMinute != c.PerMinute {
		l = &clientLimit{c.PerMinute, rate.NewLimiter(rate.Limit(float64(c.PerMinute)/60), c.PerMinute)}
		s.limits[c.ID] = l
	}
	if !l.Allow() {
		return refuse(http.StatusTooManyRequests, 450, "4.7.1", "rate", "",
			mime.NewText("submit.rate", "this client may make {per_minute} deliveries a minute", "per_minute", c.PerMinute),
			mime.NewText("submit.rate_hint", "wait a minute, or ask the administrator to raise the client's per_minute"))
	}
	l.take(n - 1)
	return nil
}

// take counts n more, into debt where needed.
func (l *clientLimit) take(n int) {
	for n > 0 {
		part := min(n, l.Burst())
		l.ReserveN(time.Now(), part)
		n -= part
	}
}

// further counts what a submission that was allowed makes besides its first delivery.
func (s *Submitter) further(c *store.Client, n int) {
	if c == nil || n <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.limits[c.ID]; l != nil {
		l.take(n)
	}
}
