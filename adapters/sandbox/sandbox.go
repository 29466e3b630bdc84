package sandbox

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options of a sandbox; all may be zero.
type Options struct {
	Dir         string           // CA, keys and delivered messages; a temporary folder, removed by Close, when empty
	ControlAddr string           // of the HTTP control; "127.0.0.1:0" when empty
	Log         *slog.Logger     // nil: silent
	Now         func() time.Time // nil: time.Now. Token lifetimes, sessions and GraphSettle follow it; delays are real time
}

// A Sandbox runs all servers. Safe for concurrent use.
type Sandbox struct {
	dir      string
	tempDir  bool // dir is ours to remove
	log      *slog.Logger
	clock    func() time.Time
	ca       *authority
	client   *http.Client
	control  string
	services []service
	entra    *entraServer
	graph    *graphServer
	google   *googleServer
	gmail    *gmailServer
	smtp     *smtpServer

	store    *store
	faults   faultList
	counters counters
	flights  flights

	ctx       context.Context // ends with Close; delays and streams end with it
	cancel    context.CancelFunc
	listeners listeners
	closeOnce sync.Once
	closeErr  error

	mu  sync.RWMutex
	set Switches
}

// Start starts every server on 127.0.0.1 on free ports. Nothing listens when
// it returns an error.
func Start(o Options) (*Sandbox, error) {
	s := &Sandbox{dir: o.Dir, log: o.Log, clock: o.Now, set: defaultSwitches()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.start(o.ControlAddr); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sandbox) start(controlAddr string) error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "postino-sandbox-")
		if err != nil {
			return fmt.Errorf("sandbox: no temporary folder: %w", err)
		}
		s.dir, s.tempDir = dir, true
	}
	var err error
	// Files are named absolutely: connections carry the names, and whoever
	// reads a connection may run in another folder.
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if s.store, err = newStore(s.dir); err != nil {
		return fmt.Errorf("sandbox: message store: %w", err)
	}
	if s.ca, err = newAuthority(s.dir); err != nil {
		return fmt.Errorf("sandbox: private CA: %w", err)
	}
	s.client = newClient(s.ca.pool)
	for _, v := range s.build() {
		if err := v.start(s); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		s.services = append(s.services, v)
	}
	if controlAddr == "" {
		controlAddr = "127.0.0.1:0"
	}
	s.control, err = s.listeners.serveHTTP(s, controlAddr, s.controlHandler())
	return err
}

// Close ends every server and its connections, waits for their handlers and
// removes a temporary Dir. Further calls give the first one's result.
func (s *Sandbox) Close() error {
	s.closeOnce.Do(func() {
		s.cancel()
		var errs []error
		for _, v := range s.services {
			errs = append(errs, v.close())
		}
		errs = append(errs, s.listeners.close())
		if s.client != nil {
			s.client.CloseIdleConnections()
		}
		if s.store != nil {
			errs = append(errs, s.store.close())
		}
		if s.tempDir {
			errs = append(errs, os.RemoveAll(s.dir))
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}

// Dir is the folder of CA, keys and delivered messages, absolute.
func (s *Sandbox) Dir() string { return s.dir }

// ControlURL is where the HTTP control answers: scheme, host and port.
func (s *Sandbox) ControlURL() string { return s.control }

// CAFile is the PEM file of the private CA; CertPool and HTTPClient trust it
// and nothing else.
func (s *Sandbox) CAFile() string { return s.ca.file }

// CertPool holds the private CA. Do not add to it.
func (s *Sandbox) CertPool() *x509.CertPool { return s.ca.pool }

// HTTPClient is one client for all callers; it retries nothing of its own and
// Close closes its idle connections.
func (s *Sandbox) HTTPClient() *http.Client { return s.client }

// Counters counts requests by "service.op", such as "entra.token",
// "graph.sendMail"; refused ones are counted too. The map is a copy.
func (s *Sandbox) Counters() map[string]int { return s.counters.snapshot() }

// MaxInFlight is the largest number of requests (SMTP: sessions) that one
// mailbox of the service had open at once since the last Reset, refused ones
// included.
func (s *Sandbox) MaxInFlight(service string) int { return s.flights.max(service) }

// Reset forgets deliveries, counters, faults and drafts; switches go back to
// their defaults. Tokens that were issued stay good.
func (s *Sandbox) Reset() {
	s.mu.Lock()
	s.set = defaultSwitches()
	s.mu.Unlock()
	s.faults.clear()
	s.counters.reset()
	s.flights.reset()
	for _, v := range s.services {
		v.reset()
	}
	if err := s.store.reset(); err != nil {
		s.log.Error("old messages stay on disk", "error", err)
	}
}
