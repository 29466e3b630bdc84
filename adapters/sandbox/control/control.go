// Package control holds what a test hands to the sandbox and reads from it: faults,
// switches and deliveries, as they stand in the JSON of its HTTP control too.
package control

import (
	"errors"
	"time"
)

// A Delivery is one message that a fake provider delivered, as its recipients would get it.
type Delivery struct {
	Seq           int      `json:"seq"`     // from 1, without gaps
	Service       string   `json:"service"` // graph, gmail, smtp
	Route         string   `json:"route"`   // graph: mime, json, draft; gmail: raw, media, multipart, resumable; smtp: data, bdat
	Mailbox       string   `json:"mailbox"` // or SMTP login
	EnvelopeFrom  string   `json:"envelope_from"`
	From          string   `json:"from"`       // header From that recipients see, as it is written there
	Recipients    []string `json:"recipients"` // who really gets a copy, lower case, sorted
	MessageID     string   `json:"message_id"` // that recipients see, with brackets
	Subject       string   `json:"subject"`    // decoded
	Size          int64    `json:"size"`
	SHA256        string   `json:"sha256"`         // of the bytes as received from the client
	ContentSHA256 string   `json:"content_sha256"` // of the same without address lines (From Sender Reply-To To Cc Bcc X-Postino-Not-Sent)
	// the bytes as received, when they have a file of their own (over 64 KB); Open serves every message
	File string    `json:"file"`
	At   time.Time `json:"at"`
}

// ErrNoDelivery says that there is no such delivery, or none since Reset.
var ErrNoDelivery = errors.New("sandbox: no such delivery")

// A Fault makes matching requests fail. The first fault in the list that
// matches acts. A fault with nothing but Delay only slows the request down.
// In JSON durations are nanoseconds.
type Fault struct {
	Service     string        `json:"service"`               // entra, graph, upload, google, gmail, smtp
	Op          string        `json:"op"`                    // see the package comment; empty: any
	Match       string        `json:"match,omitempty"`       // only this mailbox, login, tenant or subject; case does not matter
	Times       int           `json:"times"`                 // then it is used up; 0: until Reset
	Probability float64       `json:"probability,omitempty"` // 0 means always
	After       bool          `json:"after,omitempty"`       // act after the message was accepted: the ambiguous case
	Status      int           `json:"status,omitempty"`      // without it: 400 for a Code, 200 for a Body
	Code        string        `json:"code,omitempty"`        // error code or reason in the provider's own error shape
	Message     string        `json:"message,omitempty"`
	Body        string        `json:"body,omitempty"` // raw body in place of the provider's shape (HTML, garbage)
	RetryAfter  time.Duration `json:"retry_after,omitempty"`
	Reply       string        `json:"reply,omitempty"` // SMTP reply line(s), "\n" between
	Reset       bool          `json:"reset,omitempty"` // TCP reset instead of an answer
	Delay       time.Duration `json:"delay,omitempty"` // before answering
}

// Switches are the behaviours of providers that are not known for certain; the rows
// are those of docs/providers.md. In JSON durations are nanoseconds.
type Switches struct {
	GraphFrom          string        `json:"graph_from"`            // deny (default; keep with AnyMailbox), overwrite, keep: B4.3, B4.5
	GraphBodyLimit     int64         `json:"graph_body_limit"`      // 4194304 (default) or 4000000: B2
	GraphGzip          bool          `json:"graph_gzip"`            // accept gzip, otherwise 415: B10.6
	GraphMailRead      bool          `json:"graph_mail_read"`       // the app has Mail.ReadWrite (default true)
	GraphSettle        time.Duration `json:"graph_settle"`          // how long a message stays in Drafts after 202: B1.8
	GraphKeepMessageID bool          `json:"graph_keep_message_id"` // default true: B6.6
	GraphRoles         bool          `json:"graph_roles"`           // tokens carry roles (default true); without: RBAC for Applications: A3.5
	GraphConcurrency   int           `json:"graph_concurrency"`     // 4 (default), 0: no limit: B7.2
	GraphPerMinute     int           `json:"graph_per_minute"`      // 429 beyond so many sends a minute and mailbox; 0 (default): none, B7.16
	// bytes a mailbox may upload in 5 minutes, 157286400 in B7.2; 0 (default): none
	GraphUploadQuota int64         `json:"graph_upload_quota"`
	GraphLatency     time.Duration `json:"graph_latency"` // every request to Graph and its upload host takes so long
	// Graph's clock, but for tokens, is ahead by so much: raise it, and drafts have lain for longer
	GraphAhead time.Duration `json:"graph_ahead"`
	// the application may read its own registration (default true): A7.2
	GraphApplicationRead bool          `json:"graph_application_read"`
	SecretLeft           time.Duration `json:"secret_left"`         // until ClientSecret ends, from the start on; half a year
	TokenLifetime        time.Duration `json:"token_lifetime"`      // 3599 s
	GmailFrom            string        `json:"gmail_from"`          // rewrite (default) or keep: C5.1
	GmailDropSilently    bool          `json:"gmail_drop_silently"` // 200 but not sent: C4
	GmailReadScope       bool          `json:"gmail_read_scope"`    // domain-wide delegation includes gmail.readonly (default true)
	GmailIgnoresOrder    bool          `json:"gmail_ignores_order"` // Cc and Bcc count wherever they stand (default false): C5.4
	GmailLatency         time.Duration `json:"gmail_latency"`
	SMTPStyle            string        `json:"smtp_style"` // plain (default), exchange, gmail: how AUTH fails
	// extensions not offered: PIPELINING, 8BITMIME, SMTPUTF8, DSN, CHUNKING, SIZE, STARTTLS,
	// ENHANCEDSTATUSCODES, or SASL mechanisms
	SMTPHide        []string      `json:"smtp_hide"`
	SMTPSize        int64         `json:"smtp_size"`        // 0: no limit
	SMTPConcurrency int           `json:"smtp_concurrency"` // 0: none; 3 answers 432: D4
	SMTPLongAuth    bool          `json:"smtp_long_auth"`   // AUTH command lines may exceed 512 octets (default true): D1.2, D1.4
	SMTPOpen        bool          `json:"smtp_open"`        // MAIL without AUTH, as relays inside a company take it
	SMTPLatency     time.Duration `json:"smtp_latency"`     // before the reply to a message's end
}

// DefaultSwitches are the switches of a new sandbox.
func DefaultSwitches() Switches {
	return Switches{
		GraphFrom:            "deny",
		GraphBodyLimit:       4 << 20,
		GraphMailRead:        true,
		GraphKeepMessageID:   true,
		GraphRoles:           true,
		GraphConcurrency:     4,
		GraphApplicationRead: true,
		SecretLeft:           4380 * time.Hour,
		TokenLifetime:        3599 * time.Second,
		GmailFrom:            "rewrite",
		GmailReadScope:       true,
		SMTPStyle:            "plain",
		SMTPLongAuth:         true,
	}
}
