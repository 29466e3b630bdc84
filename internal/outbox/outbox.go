// Package outbox sends what is stored: it claims due deliveries, calls the
// adapter of their connection, and decides by the outcome whether to finish,
// retry, fail over or notify. It works lane by lane, has every attempt on disk
// before its call begins, hands the stored bytes to the adapter, and relies on
// a Store for everything that must survive it.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/telemetry"
)

// Adapters finds the adapter of a connection; *adapters.Router does.
type Adapters interface {
	Adapter(c *adapters.Connection) (adapters.Adapter, error)
}

// Options of an Outbox; zero fields take the defaults.
type Options struct {
	Store    store.Store
	Adapters Adapters
	Node     string // name of this node, the same after a restart
	// Connections is the copy that the other parts of this process look at too;
	// nil: one of its own.
	Connections *registry.Connections
	Log         *slog.Logger

	Workers       int           // most deliveries in work at once on this node; 4096
	Lease         time.Duration // how long a silent node keeps its deliveries; 12 s
	Grace         time.Duration // how long a stop waits for what is in flight; 20 s
	Retry         Schedule      // of connections that name none
	VerifyAfter   time.Duration // first question about an unknown outcome; 5 s
	Settle        time.Duration // how long a message that is not found may still turn up; 2 min (contracts B3.5)
	FailoverAfter time.Duration // a lane that stays paused longer fails over, where there is a fallback; 15 min
	Sweep         time.Duration // pause between two looks for what should fail over; 5 s
	Notify        Notify
	Tracer        *telemetry.Tracer // nil: nothing is traced
	Events        bool              // write events of final states, for webhooks and streams
	// Called is told of each message handed to a provider, with what came of it and
	// how long the call took; nil: no one is. It must return at once.
	Called func(conn *gateway.Connection, class adapters.Class, took time.Duration)
}

func (o *Options) fill() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Lease, 12*time.Second)
	def(&o.Grace, 20*time.Second)
	def(&o.VerifyAfter, 5*time.Second)
	def(&o.Settle, 2*time.Minute)
	def(&o.FailoverAfter, 15*time.Minute)
	def(&o.Sweep, 5*time.Second)
	o.Retry.fill(Schedule{First: time.Minute, Max: time.Hour, GiveUp: store.GiveUp})
	if o.Workers <= 0 {
		o.Workers = 4096
	}
	if o.Node == "" {
		o.Node = "node"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// An Outbox runs on one node. Several nodes may run on one store.
type Outbox struct {
	opt   Options
	conns *registry.Connections
	brk   *breakers
	node  node

	inFlight    atomic.Int64
	busy        atomic.Int64 // in flight, or reserved for a claim under way
	unwritten   atomic.Int64 // outcomes that are known here and not yet in the store
	notNotified atomic.Int64 // notifications that could not be made
	working     sync.WaitGroup
	jobs        chan store.Claimed // to a worker that waits
	kick        chan struct{}      // a slot or a lane became free
	held        held
}

// New makes an Outbox; Run runs it.
func New(o Options) (*Outbox, error) {
	if o.Store == nil || o.Adapters == nil {
		return nil, errors.New("outbox: a store and adapters are needed")
	}
	o.fill()
	b := &Outbox{opt: o, kick: make(chan struct{}, 1), jobs: make(chan store.Claimed)}
	if b.conns = o.Connections; b.conns == nil {
		b.conns = registry.NewConnections(o.Store)
	}
	b.brk = newBreakers()
	return b, nil
}

// Run claims and sends until ctx ends; then it begins nothing more, waits at
// most Grace for what is in flight, releases the rest and leaves. An error
// means that the node could not begin.
func (o *Outbox) Run(ctx context.Context) error {
	// Sends outlive ctx by the grace time: a stop must not turn what is in
	// flight into unknown outcomes.
	background, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	o.node.parent = background
	if err := o.register(ctx); err != nil {
		return err
	}
	o.loadBreakers(ctx)
	var loops sync.WaitGroup
	beats, stopBeats := context.WithCancel(background)
	loops.Go(func() { o.heartbeats(beats) })
	loops.Go(func() { o.reaper(ctx) })
	loops.Go(func() { o.strays(ctx) })
	loops.Go(func() { o.deadlines(ctx) })
	loops.Go(func() { o.failovers(ctx) })
	var claims sync.WaitGroup
	for range dispatchers {
		claims.Go(func() { o.dispatch(ctx) })
	}
	claims.Wait()

	done := make(chan struct{})
	go func() { o.working.Wait(); close(done) }()
	grace := time.NewTimer(o.opt.Grace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		o.opt.Log.Warn("the grace time is over: ending the sends in flight", "in_flight", o.inFlight.Load())
		abort()
		<-done
	}
	stopBeats()
	loops.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := o.opt.Store.Leave(leave, o.node.current(), time.Now()); err != nil && !errors.Is(err, store.ErrNodeLost) {
		o.opt.Log.Warn("the node could not sign off; its leases run out by themselves", "err", err)
	}
	return nil
}

// InFlight is how many deliveries this node works on now.
func (o *Outbox) InFlight() int { return int(o.inFlight.Load()) }

func (o *Outbox) nudge() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}
