package doctor

import (
	"context"
	"crypto/x509"
	"net/netip"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A FindingStatus is how a check of the installation ended.
type FindingStatus string

// The statuses of findings.
const (
	Good    FindingStatus = "ok"
	Warning FindingStatus = "warning" // mail flows, and something needs a look
	Bad     FindingStatus = "failed"
	NotDone FindingStatus = "skipped"
)

// A Finding is one thing that was looked at.
type Finding struct {
	Check  string // such as clock, disk, listener, store, queue
	Status FindingStatus
	Took   time.Duration
	Code   string // of a failure that has one; may be empty
	// ProviderCode is what the provider or server calls it; may be empty.
	ProviderCode string
	Message      mime.Text
	Hint         mime.Text // what to do; zero: nothing
}

// Addresses are the addresses that this machine sends from, for the list of those
// that a provider or a firewall lets pass.
type Addresses struct {
	Configured []netip.Addr // smtp.source_address of the connections
	System     []netip.Addr // that the system chooses for the open Internet
	Seen       []netip.Addr // as servers named them: behind NAT another one
}

// A Checkup is all findings of an installation.
type Checkup struct {
	OK        bool // nothing failed
	Findings  []Finding
	Addresses Addresses
	Listeners []Listener // that were looked at
}

// A Records is what the checks read of a store.
type Records interface {
	Ping(ctx context.Context) error
	Stats(ctx context.Context, now time.Time) (store.Stats, error)
	List(ctx context.Context, r store.ListRequest) (store.Page, error)
	Lanes(ctx context.Context, after string, limit int) ([]store.Lane, error)
	Connections(ctx context.Context) ([]*gateway.Connection, error)
	ConnectionStates(ctx context.Context) ([]store.ConnectionState, error)
}

// An Installation says what to look at. Doctor is required.
type Installation struct {
	Doctor    *Doctor
	Records   Records // nil: StoreErr says why
	StoreErr  error
	Where     string // the store is, without a password
	Folder    string // of store and spool
	Reserve   int64  // bytes that uploads leave free
	Hostname  string // name of the gateway
	Listeners []Listener
	Unasked   error          // why a server that runs does not tell its listeners; nil: it does, or none runs
	Roots     *x509.CertPool // that the listeners' certificates are checked by; nil: the system's
	Warnings  []mime.Text    // of the configuration
	Free      func(dir string) (int64, error)
	Skew      func(context.Context) (time.Duration, error) // of the database's clock; nil: it has none of its own
	Now       func() time.Time                             // nil: time.Now
}

// checkupLimit bounds a whole checkup.
const checkupLimit = 90 * time.Second

// Check looks at everything. It calls report, which may be nil, for each finding
// as it is made, from this goroutine.
func (in *Installation) Check(ctx context.Context, report func(Finding)) Checkup {
	ctx, cancel := context.WithTimeout(ctx, checkupLimit)
	defer cancel()
	c := in.begin(report)
	c.disk()
	c.listeners(ctx)
	c.certificates()
	c.hostname(ctx)
	c.records(ctx)
	c.servers(ctx)
	c.configuration()
	return c.out
}

// CheckListeners looks at the listeners alone.
func (in *Installation) CheckListeners(ctx context.Context) Checkup {
	c := in.begin(nil)
	c.listeners(ctx)
	return c.out
}

func (in *Installation) begin(report func(Finding)) *checkup {
	c := &checkup{Installation: in, report: report, out: Checkup{OK: true, Listeners: in.Listeners}}
	if c.now = in.Now; c.now == nil {
		c.now = time.Now
	}
	c.last = c.now()
	return c
}

// A checkup is one run.
type checkup struct {
	*Installation
	report func(Finding)
	now    func() time.Time
	last   time.Time
	out    Checkup
	conns  []*gateway.Connection
}

func (c *checkup) add(f Finding) {
	now := c.now()
	f.Took, c.last = now.Sub(c.last), now
	c.out.OK = c.out.OK && f.Status != Bad
	c.out.Findings = append(c.out.Findings, f)
	if c.report != nil {
		c.report(f)
	}
}

func (c *checkup) good(check string, message mime.Text) {
	c.add(Finding{Check: check, Status: Good, Message: message})
}

func (c *checkup) warn(check string, message, hint mime.Text) {
	c.add(Finding{Check: check, Status: Warning, Message: message, Hint: hint})
}

func (c *checkup) bad(check string, message, hint mime.Text) {
	c.add(Finding{Check: check, Status: Bad, Message: message, Hint: hint})
}

// configuration passes on what the configuration warns of.
func (c *checkup) configuration() {
	for _, w := range c.Warnings {
		c.warn("configuration", w, text("doctor.configuration_hint", "correct the configuration and restart the server"))
	}
	if len(c.Warnings) == 0 {
		c.good("configuration", text("doctor.configuration_ok", "the configuration has no known problems"))
	}
}

// each runs work for all of a list, a few at once, and waits.
func each[T any](list []T, most int, work func(T)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, most)
	for _, v := range list {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			work(v)
		})
	}
	running.Wait()
}
