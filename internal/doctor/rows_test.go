package doctor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/mailboxtest"
)

// A row is one refusal of docs/providers.md that an administrator can meet: how the
// sandbox produces it, and what the doctor answers.
type row struct {
	ref      string // section and first column there
	way      string // graph, gmail, gmail-federated, gmail-keyless, smtp, smtp-entra or smtp-google
	change   func(*adapters.Connection)
	switches func(*sandbox.Switches)
	faults   []sandbox.Fault
	message  bool // a message is sent
	stage    stages.Name
	class    adapters.Class
	code     string
	en, it   string // words of message and hint; "|" between several
}

// tables are the rows of each section.
func tables() map[string][]row {
	return map[string][]row{"A5": entraRows(), "B9": graphRows(), "C4": gmailRows(),
		"C6": slices.Concat(googleRows(), keylessRows()), "D5": smtpRows()}
}

const (
	to        = "anna@example.com"
	auth      = adapters.Auth
	permanent = adapters.Permanent
	transient = adapters.Transient
	throttled = adapters.Throttled
	unknown   = adapters.Unknown
)

// TestRows: every row of A5, B9, C4, C6 and D5 that an administrator can meet is
// produced by the sandbox and answered with stage, class, code and hint in both
// languages. rowsNotMet lists the others with the reason.
func TestRows(t *testing.T) {
	t.Parallel()
	for name, rows := range tables() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sb := start(t)
			for _, r := range rows {
				t.Run(r.ref, func(t *testing.T) { r.test(t, sb) })
			}
		})
	}
}

func (r row) test(t *testing.T, sb *sandbox.Sandbox) {
	sb.Reset()
	conn := connection(sb, r.way)
	if r.change != nil {
		r.change(conn)
	}
	if r.switches != nil {
		sb.Configure(r.switches)
	}
	for _, f := range r.faults {
		sb.Inject(f)
	}
	test := doctor.Test{Connection: stored(conn)}
	if r.message {
		test.To = mailboxtest.Of(to)
	}
	res := run(t, doctorWith(sb, sb.HTTPClient()), test)
	s := find(res, r.stage)
	if res.OK || s.Status != stages.Failed || s.Err.Class != r.class || s.Err.ShownCode() != r.code || s.Err.Code == "" ||
		res.Class() != r.class {
		for _, s := range res.Stages {
			if s.Status == stages.Failed {
				t.Logf("failed: %s %s %q", s.Name, s.Err.Class, s.Err.ShownCode())
			}
		}
		t.Fatalf("%s; want %s failed, %s %q", shown(res), r.stage, r.class, r.code)
	}
	if s.Hint.IsZero() {
		t.Error("there is no hint")
	}
	wantWords(t, s.Message.String()+" -> "+s.Hint.String(), r.en)
	wantWords(t, s.Message.In("it")+" -> "+s.Hint.In("it"), r.it)
	if s.Hint.In("it") == s.Hint.String() {
		t.Errorf("the hint is not in Italian: %s", s.Hint)
	}
	// Nothing behind it was run.
	after := false
	for _, x := range res.Stages {
		if after && x.Status != stages.Skipped {
			t.Errorf("%s after the failure: %s", x.Name, x.Status)
		}
		after = after || x.Status == stages.Failed
	}
}

func connection(sb *sandbox.Sandbox, way string) *adapters.Connection {
	switch way {
	case "graph":
		return sb.GraphConnection(from)
	case "gmail":
		return sb.GmailConnection(from)
	case "gmail-federated":
		return sb.GmailFederatedConnection(from)
	case "gmail-keyless":
		return sb.GmailKeylessConnection(from)
	case "smtp-entra":
		return sb.SMTPOAuthConnection(from, "entra")
	case "smtp-google":
		return sb.SMTPOAuthConnection(from, "google")
	}
	return sb.SMTPConnection(from)
}

// mailbox makes the connection send from another one.
func mailbox(address string) func(*adapters.Connection) {
	return func(c *adapters.Connection) {
		c.From = address
		if set := gmail.SettingsOf(c); set != nil {
			set.Subject = address
		}
	}
}

// alias makes the connection send as an address that is not its mailbox.
func alias(c *adapters.Connection) {
	if set := graph.SettingsOf(c); set != nil {
		set.Mailbox = c.From
	}
	c.Aliases, c.From = []string{c.From}, "fatture@contoso.example"
}

// later lets the first request pass, which is the test's own question.
func later(f sandbox.Fault) []sandbox.Fault {
	return []sandbox.Fault{{Service: f.Service, Op: f.Op, Times: 1, Delay: time.Nanosecond}, f}
}

func noRoles(s *sandbox.Switches) { s.GraphRoles = false }
