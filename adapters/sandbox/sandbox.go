package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/entra"
	"github.com/postino-mail/postino/adapters/sandbox/gmail"
	"github.com/postino-mail/postino/adapters/sandbox/google"
	"github.com/postino-mail/postino/adapters/sandbox/graph"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/adapters/sandbox/smtp"
)

// Options of a sandbox; all may be zero.
type Options struct {
	Dir         string // CA, keys and delivered messages; a temporary folder, removed by Close, when empty
	ControlAddr string // of the HTTP control; "127.0.0.1:0" when empty and no FirstPort is given
	// FirstPort fixes the ports on 127.0.0.1: the control has it, and the next ones are, in this order,
	// Entra, Graph, Graph's upload host, Google, Gmail, SMTP with STARTTLS, SMTP with TLS, plain SMTP. 0: free ports
	FirstPort  int
	ProxyAddr  string           // where to answer CONNECT for the vendors' real hosts; nowhere when empty
	Directory  *Directory       // who exists, with which rights; nil: see the package comment
	AnyMailbox bool             // without a Directory: every address is a mailbox, and may send as any other
	Log        *slog.Logger     // nil: silent
	Now        func() time.Time // nil: time.Now. Token lifetimes, sessions and GraphSettle follow it; delays are real time
}

// A Sandbox runs all servers. Safe for concurrent use.
type Sandbox struct {
	core    *core.Core
	client  *http.Client
	control string
	proxy   string
	entra   *entra.Server
	graph   *graph.Server
	google  *google.Server
	gmail   *gmail.Server
	smtp    *smtp.Server

	closeOnce sync.Once
	closeErr  error
}

// Start starts every server on 127.0.0.1 on free ports. Nothing listens when it
// returns an error.
func Start(o Options) (*Sandbox, error) {
	c, err := core.New(o.Dir, o.Log, o.Now, o.AnyMailbox, fixedPorts(o.FirstPort))
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if o.Directory != nil {
		if err := c.SetDirectory(*o.Directory); err != nil {
			return nil, errors.Join(fmt.Errorf("sandbox: %w", err), c.Close())
		}
	}
	s := &Sandbox{core: c, client: newClient(c.CertPool()), entra: entra.New(c), google: google.New(c)}
	s.graph, s.gmail = graph.New(c, s.entra), gmail.New(c, s.google)
	s.smtp = smtp.New(c, s.entra, s.google, s.gmail)
	if err := s.start(o); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), s.Close())
	}
	return s, nil
}

// fixedPorts are the ports from first on, by server.
func fixedPorts(first int) map[string]int {
	if first == 0 {
		return nil
	}
	ports := make(map[string]int)
	for i, name := range []string{"entra", "graph", "upload", "google", "gmail", "smtp", "smtps", "smtp-plain"} {
		ports[name] = first + 1 + i
	}
	return ports
}

func (s *Sandbox) start(o Options) error {
	for _, start := range []func() error{s.entra.Start, s.graph.Start, s.google.Start, s.gmail.Start, s.smtp.Start} {
		if err := start(); err != nil {
			return err
		}
	}
	s.entra.SetGraphURL(s.graph.URL())
	if o.ControlAddr == "" {
		o.ControlAddr = net.JoinHostPort("127.0.0.1", strconv.Itoa(o.FirstPort))
	}
	control := s.controlHandler()
	var err error
	if s.control, err = s.core.ServeHTTP(o.ControlAddr, control); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if o.ProxyAddr == "" {
		return nil
	}
	s.google.NameVendor()
	// The metadata server of Google Cloud is asked without TLS (contracts C6.11).
	s.proxy, err = s.core.ServeProxy(o.ProxyAddr, map[string]http.Handler{"metadata.google.internal": control, "169.254.169.254": control})
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	return nil
}

// Close ends every server and its connections, waits for their handlers and
// removes a temporary Dir. Further calls return the first one's result.
func (s *Sandbox) Close() error {
	s.closeOnce.Do(func() {
		s.core.Cancel()
		smtpErr := s.smtp.Close()
		s.client.CloseIdleConnections()
		s.closeErr = errors.Join(smtpErr, s.core.Close())
	})
	return s.closeErr
}

func newClient(pool *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost:   256, // load tests: no new handshake for each request
		IdleConnTimeout:       time.Minute,
		ExpectContinueTimeout: time.Minute,
	}}
}

// Dir is the folder of CA, keys and delivered messages, absolute.
func (s *Sandbox) Dir() string { return s.core.Dir }

// EntraURL is the authority that issues tokens for Graph: scheme, host and port.
func (s *Sandbox) EntraURL() string { return s.entra.URL() }

// GraphURL is the address of Microsoft Graph, without /v1.0.
func (s *Sandbox) GraphURL() string { return s.graph.URL() }

// GoogleTokenURL is the address of Google's token endpoint.
func (s *Sandbox) GoogleTokenURL() string { return s.google.URL() }

// GmailURL is the address of the Gmail API.
func (s *Sandbox) GmailURL() string { return s.gmail.URL() }

// ControlURL is where the HTTP control answers: scheme, host and port.
func (s *Sandbox) ControlURL() string { return s.control }

// ProxyURL is the address for HTTPS_PROXY; empty without Options.ProxyAddr.
func (s *Sandbox) ProxyURL() string { return s.proxy }

// SetDirectory says who exists from now on. The error names the entry that is wrong, and
// nothing changes then.
func (s *Sandbox) SetDirectory(d Directory) error { return s.core.SetDirectory(d) }

// CAFile is the PEM file of the private CA; CertPool and HTTPClient trust it
// and nothing else.
func (s *Sandbox) CAFile() string { return s.core.CAFile() }

// CertPool holds the private CA. Do not add to it.
func (s *Sandbox) CertPool() *x509.CertPool { return s.core.CertPool() }

// HTTPClient is one client for all callers; it retries nothing of its own and
// Close closes its idle connections.
func (s *Sandbox) HTTPClient() *http.Client { return s.client }

// Counters counts requests by "service.op", such as "entra.token",
// "graph.sendMail"; refused ones are counted too. The map is a copy.
func (s *Sandbox) Counters() map[string]int { return s.core.Counters() }

// MaxInFlight is the largest number of requests (SMTP: sessions) that one
// mailbox of the service had open at once since the last Reset, refused ones
// included.
func (s *Sandbox) MaxInFlight(service string) int { return s.core.MaxInFlight(service) }

// InFlight is how many requests (SMTP: sessions) of all mailboxes the service is
// answering now.
func (s *Sandbox) InFlight(service string) int { return s.core.InFlight(service) }

// Configure changes switches; it holds for requests that begin afterwards. change
// must not call the Sandbox.
func (s *Sandbox) Configure(change func(*Switches)) { s.core.Configure(change) }

// Inject adds a fault at the end of the list.
func (s *Sandbox) Inject(f Fault) { s.core.Inject(f) }

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() { s.core.ClearFaults() }

// Deliveries lists what was delivered so far, in order. The slice is a copy.
func (s *Sandbox) Deliveries() []Delivery { return s.core.DeliveriesSince(0) }

// DeliveriesSince is Deliveries with Seq > seq: cheap to poll.
func (s *Sandbox) DeliveriesSince(seq int) []Delivery { return s.core.DeliveriesSince(seq) }

// Open returns the bytes of a delivery as received from the client; of a Graph
// draft, the message that was built from it. The error is ErrNoDelivery, or one of
// the disk.
func (s *Sandbox) Open(d Delivery) (io.ReadCloser, error) { return s.core.Open(d.Seq) }

// OpenShown returns the bytes as a recipient sees them: without Bcc, and with what
// the provider removes or replaces. Errors are those of Open.
func (s *Sandbox) OpenShown(d Delivery) (io.ReadCloser, error) { return s.core.OpenShown(d.Seq) }

// SMTPViolations lists what SMTP clients did against the protocol since the last
// Reset, the first thousand: bare CR or LF, lines over 998 octets, 8-bit data that
// was not announced, commands sent too early. Each was refused, too.
func (s *Sandbox) SMTPViolations() []string { return s.smtp.Violations() }

// Reset forgets deliveries, counters, faults and drafts; switches go back to their
// defaults. Tokens that were issued stay valid.
func (s *Sandbox) Reset() {
	s.core.Reset()
	s.graph.Reset()
	s.gmail.Reset()
	s.smtp.Reset()
	s.core.ResetMessages()
}
