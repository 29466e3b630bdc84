package sandbox

import (
	"slices"
	"time"
)

// Switches are the behaviours that are not known for certain (contracts [S]
// and [U] rows). In JSON durations are nanoseconds.
type Switches struct {
	GraphFrom          string        `json:"graph_from"`            // keep (default), overwrite, deny: B4.5
	GraphBodyLimit     int64         `json:"graph_body_limit"`      // 4194304 (default) or 4000000: B2
	GraphGzip          bool          `json:"graph_gzip"`            // accept gzip, otherwise 415: B10.6
	GraphMailRead      bool          `json:"graph_mail_read"`       // the app has Mail.ReadWrite (default true)
	GraphSettle        time.Duration `json:"graph_settle"`          // how long a message stays in Drafts after 202: B1.8
	GraphKeepMessageID bool          `json:"graph_keep_message_id"` // default true: B6.6
	GraphRoles         bool          `json:"graph_roles"`           // tokens carry roles (default true); without: RBAC for Applications: A3.5
	GraphConcurrency   int           `json:"graph_concurrency"`     // 4 (default), 0: no limit: B7.2
	GraphPerMinute     int           `json:"graph_per_minute"`      // 429 beyond so many sends a minute and mailbox; 0 (default): none, B7.16
	GraphUploadQuota   int64         `json:"graph_upload_quota"`    // bytes a mailbox may upload in 5 minutes, 157286400 in B7.2; 0 (default): none
	GraphLatency       time.Duration `json:"graph_latency"`         // every request to Graph and its upload host takes so long
	GraphAhead         time.Duration `json:"graph_ahead"`           // Graph's clock, but for tokens, is ahead by so much: raise it, and drafts have lain for longer
	TokenLifetime      time.Duration `json:"token_lifetime"`        // 3599 s
	GmailFrom          string        `json:"gmail_from"`            // rewrite (default) or keep: C5.1
	GmailDropSilently  bool          `json:"gmail_drop_silently"`   // 200 but not sent: C4
	GmailReadScope     bool          `json:"gmail_read_scope"`      // domain-wide delegation includes gmail.readonly (default true)
	GmailIgnoresOrder  bool          `json:"gmail_ignores_order"`   // Cc and Bcc count wherever they stand (default false): C5.4
	GmailLatency       time.Duration `json:"gmail_latency"`
	SMTPStyle          string        `json:"smtp_style"`       // plain (default), exchange, gmail: how AUTH fails
	SMTPHide           []string      `json:"smtp_hide"`        // extensions not offered: PIPELINING, 8BITMIME, SMTPUTF8, DSN, CHUNKING, SIZE, STARTTLS, ENHANCEDSTATUSCODES, or SASL mechanisms
	SMTPSize           int64         `json:"smtp_size"`        // 0: no limit
	SMTPConcurrency    int           `json:"smtp_concurrency"` // 0: none; 3 answers 432: D4
	SMTPLongAuth       bool          `json:"smtp_long_auth"`   // AUTH command lines may exceed 512 octets (default false): D1.2
	SMTPOpen           bool          `json:"smtp_open"`        // MAIL without AUTH, as relays inside a company take it
	SMTPLatency        time.Duration `json:"smtp_latency"`     // before the reply to a message's end
}

func defaultSwitches() Switches {
	return Switches{
		GraphFrom:          "keep",
		GraphBodyLimit:     4 << 20,
		GraphMailRead:      true,
		GraphKeepMessageID: true,
		GraphRoles:         true,
		GraphConcurrency:   4,
		TokenLifetime:      3599 * time.Second,
		GmailFrom:          "rewrite",
		GmailReadScope:     true,
		SMTPStyle:          "plain",
	}
}

// Configure changes switches; it holds for requests that begin afterwards.
// change must not call the Sandbox.
func (s *Sandbox) Configure(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.set
	next.SMTPHide = slices.Clone(next.SMTPHide)
	change(&next)
	s.set = next
}

// switches gives them as they are now; SMTPHide is not to be written to.
func (s *Sandbox) switches() Switches {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.set
}
