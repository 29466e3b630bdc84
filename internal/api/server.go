package api

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/telemetry"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/webhook"
)

// Options of a Server; zero fields take the defaults.
type Options struct {
	Store        store.Store
	Submit       *submit.Submitter
	Connections  *registry.Connections
	Clients      *registry.Clients
	Programs     *programs.Recorder   // notes uses and refusals of clients and keys; nil: no one does
	Doctor       *doctor.Doctor       // tests connections; nil: they cannot be tested here
	Installation *doctor.Installation // looked at by GET /v1/doctor; nil: it cannot be
	Sealer       store.Sealer         // of the webhooks' secrets
	Budget       *spool.Budget        // of the disk for uploads under way; nil: unbounded
	SpoolDir     string               // where uploads go; Store.SpoolDir()
	Hostname     string               // name under which browsers may call with a client's secret, beside localhost and addresses
	PublicHost   string               // another one: the host of PublicURL
	PublicURL    string               // under which a reverse proxy shows the API, for the OpenAPI document; may be empty
	Version      string               // of the program, in the OpenAPI document
	People       *people.Service      // nil: one of its own
	Tracer       *telemetry.Tracer    // nil: nothing is traced

	// Keyless lets programs of this machine, and clients known by their
	// address, hand over messages by TCP without a key, and do nothing else.
	Keyless bool
	// TrustedProxies are those with an X-Forwarded-For that is believed.
	TrustedProxies []netip.Prefix
	// WebhookNetworks are those of webhooks' receivers that may be called
	// although their addresses are not public; there without TLS too.
	WebhookNetworks []netip.Prefix
	// ConnectionNetworks are those of servers that someone who is no
	// administrator may name although their addresses are not public.
	ConnectionNetworks []netip.Prefix

	// WatchConnection is the name of the connection that carries the mail about
	// alerts, which an operator may not take; empty: none has it by its name.
	WatchConnection string

	// ProveToken gets tokens with the credential of a connection, past every
	// cache; nil: a new certificate cannot be activated.
	ProveToken func(context.Context, *adapters.Connection) error

	// Detect finds the provider of an address, and asks servers without a
	// public address in the allowed networks alone; nil: presets.Detect.
	Detect func(ctx context.Context, allowed []netip.Prefix, address string) (*presets.Detection, error)

	// Bounds of one client; programs that are no clients count as one each.
	MaxWebhooks int // 20
	MaxStreams  int // event streams at once; 10
	MaxKeys     int // API keys that are valid; 50
	// OwnListener reports a host and port at which this server itself takes
	// SMTP: no connection may lead there. nil: none is known.
	OwnListener func(ctx context.Context, host string, port int) bool

	GiveUp         time.Duration        // when a delivery that is sent again expires; 72 h
	MaxJSON        int64                // of a JSON body; 20 MiB
	MaxConnections int                  // at once; 1,000
	MaxPerAddress  int                  // of those, of one address; 100
	Poll           time.Duration        // how often new events are looked for; 500 ms
	Metrics        *prometheus.Registry // shown at /metrics; nil: one of its own
	Pages          Pages                // what is no path of the API; nil: 404
	Log            *slog.Logger         // nil: silent
	Now            func() time.Time     // for tests; time.Now
}

func (o *Options) defaults() error {
	if o.Store == nil || o.Submit == nil || o.Connections == nil || o.Clients == nil || o.Sealer == nil {
		return errors.New("api: a store, a submitter, connections, clients and a sealer are needed")
	}
	if o.SpoolDir == "" {
		o.SpoolDir = o.Store.SpoolDir()
	}
	if o.GiveUp <= 0 {
		o.GiveUp = store.GiveUp
	}
	if o.MaxJSON <= 0 {
		o.MaxJSON = 20 << 20
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 1000
	}
	if o.MaxPerAddress <= 0 {
		o.MaxPerAddress = 100
	}
	for _, bound := range []struct {
		value *int
		usual int
	}{{&o.MaxWebhooks, 20}, {&o.MaxStreams, 10}, {&o.MaxKeys, 50}} {
		if *bound.value <= 0 {
			*bound.value = bound.usual
		}
	}
	if o.Poll <= 0 {
		o.Poll = 500 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "1"
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Detect == nil {
		o.Detect = detectWith
	}
	if o.People == nil {
		o.People = people.New(people.Options{Store: o.Store, Now: o.Now, Log: o.Log, PublicURL: func() string { return o.PublicURL }})
	}
	if o.ProveToken == nil {
		o.ProveToken = func(context.Context, *adapters.Connection) error { return errors.New("api: no token can be asked for") }
	}
	return nil
}

// A Server is the HTTP listener with its API. Make one with New, then Listen, then Serve.
type Server struct {
	*transport
	opt         Options
	router      *router
	spec        []byte
	connections connectionFinder
	auth        *authenticator
	metrics     *metrics
	events      *feed
	hooks       *webhook.Worker
	submissions *submissionService
}

// New makes a Server with all its routes; it does not listen yet.
func New(o Options) (*Server, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	s := &Server{opt: o}
	s.connections = connectionFinder{o.Connections}
	s.auth = newAuthenticator(&s.opt, vault.NewHasher(2))
	s.metrics = newMetrics(&s.opt)
	s.events = newFeed(o.Store, o.Poll, o.Log)
	var err error
	s.hooks, err = webhook.New(webhook.Options{Store: o.Store, Sealer: o.Sealer, Networks: o.WebhookNetworks, Poll: o.Poll, Log: o.Log,
		Owned: ownedBy(o.Store, o.Connections), Now: o.Now})
	if err != nil {
		return nil, err
	}
	// From here on, what serves a request has the store as its caller may see it.
	s.opt.Store = confine(o.Store, o.Connections, o.WatchConnection)
	s.router = newRouter(&s.opt, s.auth)
	s.transport = newTransport(&s.opt, s.chain())
	s.routes()
	if s.spec, err = s.router.document(); err != nil {
		return nil, err
	}
	s.router.serveDocument(s.spec)
	return s, nil
}

// chain is what every request passes, with the pages beside the API.
func (s *Server) chain() *chain {
	c := &chain{mux: s.router.mux, metrics: s.metrics, tracer: s.opt.Tracer, log: s.opt.Log}
	if s.opt.Pages != nil {
		c.elsewhere = s.opt.Pages(fromPage(s.router.mux))
	}
	return c
}

func (s *Server) routes() {
	o := &s.opt
	(&healthService{ping: o.Store.Ping, closed: o.Connections.Closed}).routes(s.router)
	s.metrics.routes(s.router)
	problemRoutes(s.router.mux)
	s.submissions = &submissionService{
		store: o.Store, submit: o.Submit, connections: s.connections, bodies: newBodyReader(o, s.router.api.OpenAPI().Components.Schemas),
		proxies: o.TrustedProxies, accepted: s.metrics.accepted, now: o.Now, log: o.Log,
	}
	s.submissions.routes(s.router)
	(&messageService{store: o.Store, submit: o.Submit, connections: s.connections, giveUp: o.GiveUp, now: o.Now, log: o.Log}).routes(s.router)
	clients := clientFinder{o.Store}
	(&clientService{uses: o.Store, clients: clients, connections: s.connections, hasher: s.auth.hasher, edited: s.auth.edited,
		now: o.Now}).routes(s.router)
	(&keyService{uses: o.Store, clients: clients, people: o.Store, most: o.MaxKeys, edited: s.auth.forget, now: o.Now}).routes(s.router)
	connections := &connectionService{store: o.Store, connections: s.connections, adapters: o.Submit.Adapters(), submit: o.Submit,
		clients: clients, networks: o.ConnectionNetworks, ownListener: o.OwnListener, now: o.Now}
	connections.routes(s.router)
	if o.Installation != nil {
		(&checkupService{installation: o.Installation, calling: semaphore.NewWeighted(1)}).routes(s.router)
	}
	tests := newTestLimiter(o.Now)
	if o.Doctor != nil {
		(&connectionTestService{connectionService: connections, testLimiter: tests, doctor: o.Doctor, spoolDir: o.SpoolDir,
			stopping: s.stopping}).routes(s.router)
	}
	(&certificateService{connectionService: connections, prove: o.ProveToken}).routes(s.router)
	(&presetService{testLimiter: tests, find: o.Detect, networks: o.ConnectionNetworks}).routes(s.router)
	(&laneService{store: o.Store, now: o.Now}).routes(s.router)
	(&overviewService{store: o.Store, connections: s.connections, now: o.Now}).routes(s.router)
	(&alertService{store: o.Store, now: o.Now}).routes(s.router)
	(&eventService{store: o.Store, feed: s.events, who: s.auth.who, most: o.MaxStreams, stopping: s.stopping, log: o.Log}).routes(s.router)
	(&personService{people: o.People, store: o.Store, connections: s.connections, publicURL: o.PublicURL, now: o.Now}).routes(s.router)
	signIn := &signInService{people: o.People, auth: s.auth, now: o.Now}
	signIn.routes(s.router)
	(&scriptLinkService{signInService: signIn, connections: connections, publicURL: o.PublicURL}).routes(s.router)
	(&auditService{store: o.Store, log: o.Log}).routes(s.router)
	(&retirementService{store: o.Store, connections: o.Connections, now: o.Now}).routes(s.router)
	(&webhookService{store: o.Store, clients: clients, sealer: o.Sealer, networks: o.WebhookNetworks, most: o.MaxWebhooks,
		sender: webhook.NewSender(o.Sealer, o.WebhookNetworks), now: o.Now}).routes(s.router)
}

// Serve answers until ctx ends, then lets requests under way finish for up to
// ten seconds. Webhooks are delivered meanwhile.
func (s *Server) Serve(ctx context.Context) error {
	working, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { s.events.run(working) })
	workers.Go(func() { s.hooks.Run(working) })
	err := s.serve(ctx)
	cancel()
	workers.Wait()
	return err
}
