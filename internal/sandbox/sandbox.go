// Package sandbox is fake Entra, Microsoft Graph, Google, Gmail and SMTP
// servers on loopback, as strict as the real ones are known to be
// (contracts.md, section G), for the demo, the tests and users' own tests.
package sandbox

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Options of a sandbox; all may be zero.
type Options struct {
	Dir         string           // CA, keys and delivered messages; a temporary folder, removed by Close, when empty
	ControlAddr string           // of the HTTP control; "127.0.0.1:0" when empty
	Log         *slog.Logger     // nil: silent
	Now         func() time.Time // nil: time.Now
}

// A Sandbox runs all servers. Safe for concurrent use.
type Sandbox struct{}

// Start starts every server on 127.0.0.1 on free ports.
func Start(o Options) (*Sandbox, error) { return nil, errors.New("sandbox: being written") }

// Close ends every server and its connections.
func (s *Sandbox) Close() error { return nil }

// ControlURL is where the HTTP control answers.
func (s *Sandbox) ControlURL() string { return "" }

// CAFile is the PEM file of the private CA; CertPool and HTTPClient trust it.
func (s *Sandbox) CAFile() string           { return "" }
func (s *Sandbox) CertPool() *x509.CertPool { return nil }
func (s *Sandbox) HTTPClient() *http.Client { return nil }

// GraphConnection, GmailConnection and SMTPConnection give complete, validated
// connections to the sandbox that send as from. The mailbox exists.
func (s *Sandbox) GraphConnection(from string) *adapters.Connection { return nil }
func (s *Sandbox) GmailConnection(from string) *adapters.Connection { return nil }
func (s *Sandbox) SMTPConnection(from string) *adapters.Connection  { return nil } // STARTTLS, PLAIN
// SMTPOAuthConnection authenticates by XOAUTH2 with a token of the fake "entra" or "google".
func (s *Sandbox) SMTPOAuthConnection(from, provider string) *adapters.Connection { return nil }

// A Delivery is one message that a fake provider delivered, as its recipients would get it.
type Delivery struct {
	Seq           int       `json:"seq"`
	Service       string    `json:"service"` // graph, gmail, smtp
	Route         string    `json:"route"`   // graph: mime, json, draft; gmail: raw, media, multipart, resumable; smtp: data, bdat
	Mailbox       string    `json:"mailbox"` // or SMTP login
	EnvelopeFrom  string    `json:"envelope_from"`
	Recipients    []string  `json:"recipients"` // who really gets a copy, sorted
	MessageID     string    `json:"message_id"`
	Subject       string    `json:"subject"`
	Size          int64     `json:"size"`
	SHA256        string    `json:"sha256"`         // of the bytes as received from the client
	ContentSHA256 string    `json:"content_sha256"` // of the same without address lines (From Sender Reply-To To Cc Bcc X-Postino-Not-Sent)
	File          string    `json:"file"`           // the bytes as received, in Dir; the recipients' view is without Bcc
	At            time.Time `json:"at"`
}

// Deliveries lists what was delivered so far, in order.
func (s *Sandbox) Deliveries() []Delivery { return nil }

// Counters counts requests by "service.op", such as "entra.token", "graph.sendMail".
func (s *Sandbox) Counters() map[string]int { return nil }

// Reset forgets deliveries, counters, faults and drafts; switches go back to their defaults.
func (s *Sandbox) Reset() {}

// A Fault makes matching requests fail. The first fault in the list that
// matches acts.
type Fault struct {
	Service     string        `json:"service"`               // entra, graph, upload, google, gmail, smtp
	Op          string        `json:"op"`                    // see the service's documentation; empty: any
	Match       string        `json:"match,omitempty"`       // only this mailbox, login, tenant or subject
	Times       int           `json:"times"`                 // then it is spent; 0: until Reset
	Probability float64       `json:"probability,omitempty"` // 0 means always
	After       bool          `json:"after,omitempty"`       // act after the message was accepted: the ambiguous case
	Status      int           `json:"status,omitempty"`
	Code        string        `json:"code,omitempty"` // error code or reason in the provider's own error shape
	Message     string        `json:"message,omitempty"`
	Body        string        `json:"body,omitempty"` // raw body in place of the provider's shape (HTML, garbage)
	RetryAfter  time.Duration `json:"retry_after,omitempty"`
	Reply       string        `json:"reply,omitempty"` // SMTP reply line(s), "\n" between
	Reset       bool          `json:"reset,omitempty"` // TCP reset instead of an answer
	Delay       time.Duration `json:"delay,omitempty"` // before answering
}

// Inject adds a fault.
func (s *Sandbox) Inject(f Fault) {}

// Switches are the behaviours that are not known for certain (contracts [S] and [U] rows).
type Switches struct {
	GraphFrom          string        `json:"graph_from"`            // keep (default), overwrite, deny: B4.5
	GraphBodyLimit     int64         `json:"graph_body_limit"`      // 4194304 (default) or 4000000: B2
	GraphGzip          bool          `json:"graph_gzip"`            // accept gzip: B10.6
	GraphMailRead      bool          `json:"graph_mail_read"`       // the app has Mail.ReadWrite (default true)
	GraphSettle        time.Duration `json:"graph_settle"`          // how long a message stays in Drafts after 202: B1.8
	GraphKeepMessageID bool          `json:"graph_keep_message_id"` // default true: B6.6
	GraphRoles         bool          `json:"graph_roles"`           // tokens carry roles (default true): A3.5
	GraphConcurrency   int           `json:"graph_concurrency"`     // 4: B7.2
	GraphLatency       time.Duration `json:"graph_latency"`
	TokenLifetime      time.Duration `json:"token_lifetime"`      // 3599 s
	GmailFrom          string        `json:"gmail_from"`          // rewrite (default) or keep: C5.1
	GmailDropSilently  bool          `json:"gmail_drop_silently"` // 200 but not sent: C4
	GmailReadScope     bool          `json:"gmail_read_scope"`    // domain-wide delegation includes gmail.readonly (default true)
	GmailLatency       time.Duration `json:"gmail_latency"`
	SMTPStyle          string        `json:"smtp_style"`       // plain (default), exchange, gmail: how AUTH fails
	SMTPHide           []string      `json:"smtp_hide"`        // extensions not offered: PIPELINING, 8BITMIME, SMTPUTF8, DSN, CHUNKING, SIZE, STARTTLS
	SMTPSize           int64         `json:"smtp_size"`        // 0: no limit
	SMTPConcurrency    int           `json:"smtp_concurrency"` // 0: none; 3 answers 432: D4
	SMTPLatency        time.Duration `json:"smtp_latency"`
}

// Configure changes switches; it holds for requests that begin afterwards.
func (s *Sandbox) Configure(change func(*Switches)) {}
