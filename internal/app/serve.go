package app

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/outbox"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/smtpd"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/telemetry"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/watch"
	"github.com/postino-mail/postino/mime"
)

// ServeOptions of `postino serve`; what is given here overrules file and environment.
type ServeOptions struct {
	ConfigFile string
	Data       string
	Database   string
	SMTP       []string
	HTTP       string
	CAFile     string
	Stderr     io.Writer
	Getenv     func(string) string
	Ready      func(Addresses) // called once everything listens; may be nil
}

// Addresses are where the listeners are.
type Addresses struct {
	SMTP   []string
	HTTP   string
	Socket string // path of the unix socket for HTTP

	FirstStart *FirstStart // nil: there are people already
}

func (o *ServeOptions) load() (config.Config, error) {
	c, err := config.Load(o.ConfigFile, o.Getenv)
	if err != nil {
		return c, err
	}
	if o.Data != "" {
		c.Data = o.Data
	}
	if o.Database != "" {
		c.Database = o.Database
	}
	if o.HTTP != "" {
		c.HTTP.Address = o.HTTP
	}
	if len(o.SMTP) > 0 {
		c.SMTP = nil
		for _, a := range o.SMTP {
			c.SMTP = append(c.SMTP, config.Listener{Address: a})
		}
	}
	return c, c.Validate()
}

// A server is everything that `postino serve` runs.
type server struct {
	conf   config.Config
	log    *slog.Logger
	level  *slog.LevelVar
	getenv func(string) string
	store  store.Store
	roots  *x509.CertPool // trusted for connections; nil: the system's
	sender *all.Sender

	forgetting sync.WaitGroup // connections that were edited or deleted
	uploads    *spool.Budget
	conns      *registry.Connections
	clients    *registry.Clients
	people     *people.Service
	page       atomic.Pointer[string] // where browsers reach the server; nil: nothing listens yet
	submit     *submit.Submitter
	own        *ownListeners
	outbox     *outbox.Outbox
	peers      *watch.Peers   // certificates of servers that mail was sent to
	watcher    *watch.Watcher // nil: switched off
	calls      *callMetrics
	smtp       smtpd.Counts
	shown      shownCertificates
	programs   *programs.Recorder
	tracer     *telemetry.Tracer // nil: nothing is traced
	read       chan struct{}     // closed once the connections were read
}

// An entryPoint takes messages in until its context ends.
type entryPoint interface {
	Serve(ctx context.Context) error
}

// Serve runs the gateway until ctx ends: then the entry points close, what is in
// flight is finished or released, and the store is closed.
func Serve(ctx context.Context, o ServeOptions) (err error) {
	conf, err := o.load()
	if err != nil {
		return exit(ExitConfig, err)
	}
	s := &server{conf: conf, level: new(slog.LevelVar), getenv: o.Getenv, own: newOwnListeners(conf.SMTP), peers: watch.NewPeers()}
	if s.log, err = newLogger(conf.Log, o.Stderr, s.level); err != nil {
		return exit(ExitConfig, err)
	}
	for _, w := range conf.Warnings {
		s.log.Warn("the configuration needs a look", "warning", w)
	}
	if s.roots, err = loadRoots(o.CAFile); err != nil {
		return exit(ExitConfig, err)
	}
	if s.tracer, err = telemetry.New(telemetry.Options{Getenv: o.Getenv, Roots: s.roots, Version: ReadVersion().Version, Node: conf.Node,
		Log: s.log}); err != nil { // the variables may be another program's: mail goes on
		s.log.Warn("nothing is traced: the OTEL_ variables cannot be followed", "err", err)
	}
	defer s.tracer.Close()
	if s.store, err = OpenStore(ctx, Storage{Data: conf.Data, Database: conf.Database}, true, s.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	networks, err := conf.Connections.Prefixes()
	if err != nil {
		return exit(ExitConfig, err)
	}
	s.sender = newSender(s.roots, networks, s.own, s.log, s.peers.Saw)
	defer func() {
		s.forgetting.Wait()
		err = errors.Join(err, s.sender.Close())
	}()
	if err := s.wire(); err != nil {
		return err
	}
	stopReading := s.readConnections(ctx)
	defer stopReading()
	entries, addresses, err := s.entryPoints()
	if err != nil {
		return exit(ExitConfig, err)
	}
	if addresses.FirstStart, err = s.firstStart(ctx, addresses.HTTP); err != nil {
		return err
	}
	if o.Ready != nil {
		o.Ready(addresses)
	}
	s.log.Info("postino serves", "smtp", addresses.SMTP, "http", addresses.HTTP, "socket", addresses.Socket, "data", conf.Data, "node",
		conf.Node)
	return s.run(ctx, o, entries)
}

// forget drops adapter, tokens and remembered failures of a connection that was
// edited or deleted, beside whoever saw it: kept SMTP sessions take their leave.
func (s *server) forget(old *gateway.Connection) {
	s.forgetting.Go(func() {
		if err := s.sender.Forget(&old.Connection); err != nil {
			s.log.Warn("an adapter does not close", "connection", old.Name, "err", err)
		}
	})
}

func (s *server) wire() (err error) {
	c := s.conf
	s.conns, s.clients = registry.NewConnections(s.store), registry.NewClients(s.store)
	s.conns.OnGone(s.forget)
	external, err := s.external()
	if err != nil {
		return err
	}
	s.people = people.New(people.Options{Store: s.store, Log: s.log, PublicURL: s.reachedAt, External: external})
	s.programs = programs.New(s.store, s.log)
	schedule := outbox.Schedule{First: time.Duration(c.Outbox.RetryFirst), Max: time.Duration(c.Outbox.RetryMax),
		GiveUp: time.Duration(c.Outbox.GiveUp)}
	if schedule.GiveUp <= 0 {
		schedule.GiveUp = store.GiveUp
	}
	keys, err := vault.Open(c.Data, os.Getenv)
	if err != nil {
		return err
	}
	s.submit, err = submit.New(submit.Options{Store: s.store, Installation: keys.ID(), Connections: s.conns, Clients: s.clients,
		Adapters: s.sender, Hostname: c.Hostname,
		MaxSize: int64(c.Limits.MaxSize), MaxRecipients: c.Limits.MaxRecipients, JoinWindow: time.Duration(c.Limits.JoinWindow),
		WarnAfter: time.Duration(c.Notify.WarnAfter), Events: true, Programs: s.programs, Tracer: s.tracer,
		GiveUp: func(conn *gateway.Connection) time.Duration { return outbox.ScheduleOf(conn, schedule).GiveUp }})
	if err != nil {
		return err
	}
	s.calls = newCallMetrics()
	s.outbox, err = outbox.New(outbox.Options{Called: s.calls.called, Tracer: s.tracer,
		Store: s.store, Connections: s.conns, Adapters: s.sender, Node: c.Node,
		Log: s.log, Workers: c.Workers,
		Retry: schedule,
		Lease: time.Duration(c.Outbox.Lease), Grace: time.Duration(c.Outbox.Grace), VerifyAfter: time.Duration(c.Outbox.VerifyAfter),
		Settle: time.Duration(c.Outbox.Settle), FailoverAfter: time.Duration(c.Outbox.FailoverAfter), Events: true,
		Notify: outbox.Notify{Off: c.Notify.Off, Hostname: c.Hostname, Client: s.notifyOff}})
	if err != nil {
		return err
	}
	return s.wireWatch(schedule.GiveUp)
}

// headStart is how long the outbox waits for readConnections: where a long
// queue waits, sending takes all processors and the first message to come in
// would wait several times as long.
const headStart = 300 * time.Millisecond

// readConnections reads all connections while the entry points are made, so that the
// first message finds them at hand. end waits for it.
func (s *server) readConnections(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.read = make(chan struct{})
	go func() {
		defer close(s.read)
		if _, err := s.submit.MaxSize(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the connections cannot be read yet", "err", err)
		}
		s.logSealed(ctx)
	}()
	return func() { cancel(); <-s.read }
}

// logSealed names the connections with secrets that do not open: the key is not the
// one that they were sealed with.
func (s *server) logSealed(ctx context.Context) {
	all, err := s.conns.All(ctx)
	if err != nil {
		return // others report it
	}
	var names []string
	for _, c := range all {
		if c.RedactedSecret() != "" {
			names = append(names, c.Name)
		}
	}
	if len(names) > 0 {
		s.log.Error("secrets do not open with this key: start with the key that sealed them, or enter them again with 'postino connection edit'",
			"connections", len(names), "first", names[0])
	}
}

func (s *server) notifyOff(ctx context.Context, id string) (bool, error) {
	c, err := s.clients.ByID(ctx, id)
	if err != nil {
		return false, err
	}
	return c.NotifyOff, nil
}

// run keeps everything going. The entry points close first, so that nothing is taken
// in while the outbox ends; one that fails by itself ends all.
func (s *server) run(ctx context.Context, o ServeOptions, entries []entryPoint) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var in, out sync.WaitGroup
	for _, d := range entries {
		in.Go(func() {
			if err := d.Serve(ctx); err != nil && ctx.Err() == nil {
				stop(texterr.Wrap(mime.NewText("serve.listener_closed", "a listener closed"), err))
			}
		})
	}
	out.Go(func() {
		select {
		case <-s.read:
		case <-time.After(headStart):
		case <-ctx.Done():
		}
		if err := s.outbox.Run(sending); err != nil && sending.Err() == nil {
			stop(texterr.Wrap(mime.NewText("serve.outbox_ended", "the outbox ended"), err))
		}
	})
	out.Go(func() { s.maintain(sending) })
	out.Go(func() { s.indexSearch(sending) })
	out.Go(func() { s.sumHours(sending) })
	out.Go(func() { s.programs.Run(sending) })
	if s.watcher != nil {
		out.Go(func() { s.watcher.Run(ctx) })
	}
	reloads := make(chan os.Signal, 1)
	if signals := reloadSignals(); len(signals) > 0 { // none would mean all
		signal.Notify(reloads, signals...)
		defer signal.Stop(reloads)
	}
	s.notifySystemd("READY=1")
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-reloads:
			s.reload(o, entries)
		}
	}
	s.notifySystemd("STOPPING=1")
	s.log.Info("stopping: the listeners close", "in_flight", s.outbox.InFlight())
	in.Wait()
	stopSending()
	out.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func newLogger(c config.Log, w io.Writer, level *slog.LevelVar) (*slog.Logger, error) {
	if err := setLevel(level, c.Level); err != nil {
		return nil, err
	}
	w = terminal.NewWriter(w)
	o := &slog.HandlerOptions{Level: level}
	switch c.Format {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, texterr.New(mime.NewText("config.log_format", "log.format {value} is none of text, json", "value", strconv.Quote(c.Format)))
}

func setLevel(v *slog.LevelVar, name string) error {
	var l slog.Level
	if name != "" {
		if err := l.UnmarshalText([]byte(name)); err != nil {
			return texterr.New(mime.NewText("config.log_level", "log.level {value} is none of debug, info, warn, error", "value",
				strconv.Quote(name)))
		}
	}
	v.Set(l)
	return nil
}
