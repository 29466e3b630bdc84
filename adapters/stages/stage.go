// Package stages tests a connection step by step: each stage says what was
// found, how long it took and, where it failed, what to do.
package stages

import (
	"context"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A Name names a stage.
type Name string

// The stages of adapters, in the order in which they come. A stage that a
// provider does not have is left out; with STARTTLS the greeting comes before TLS.
const (
	DNS            Name = "dns"            // the names of the hosts are found
	TCP            Name = "tcp"            // the hosts take a connection
	TLS            Name = "tls"            // chain, name, end and version
	Greeting       Name = "greeting"       // the first answer; of the APIs also their clock
	Offers         Name = "offers"         // the extensions of an SMTP server
	Token          Name = "token"          // Entra or Google issue an access token
	Authentication Name = "authentication" // the SMTP server accepts the login
	Roles          Name = "roles"          // what the application may do
	Mailbox        Name = "mailbox"        // the mailbox is there and can be used
	Lookup         Name = "lookup"         // a message with an unknown outcome can be looked up
	Sender         Name = "sender"         // the connection's From may be used
)

// A Status is how a stage ended.
type Status string

// The statuses.
const (
	OK       Status = "ok"
	Failed   Status = "failed"
	Skipped  Status = "skipped"  // not run: it does not apply, or a stage before it failed
	Unproven Status = "unproven" // nothing speaks against it, and only sending can prove it
)

// A Stage is one step of a test.
type Stage struct {
	Name    Name
	Status  Status
	Took    time.Duration
	Message adapters.Text   // what was found
	Hint    adapters.Text   // what to do; zero: nothing
	Err     *adapters.Error // of a failed stage; nil otherwise
	Seen    string          // this machine's address as the server named it; empty: it did not
}

// A Request says what to test.
type Request struct {
	From    mime.Mailbox // the sender to test; none: the connection's own
	Network bool         // the network alone: nothing that needs the credential
}

// A Tester is an adapters.Adapter that tests its connection. Test calls report
// for each stage as it ends, from the calling goroutine, and ends after the
// first one that failed. Nothing is sent. It is safe for concurrent use.
type Tester interface {
	Test(ctx context.Context, req Request, report func(Stage))
}

// A Recorder passes on the stages of one test, each with the time since the
// one before. It is used by one goroutine.
type Recorder struct {
	now    func() time.Time
	report func(Stage)
	last   time.Time
	err    *adapters.Error
}

// NewRecorder makes a Recorder with the clock now.
func NewRecorder(now func() time.Time, report func(Stage)) *Recorder {
	return &Recorder{now: now, report: report, last: now()}
}

// Add passes a stage on.
func (r *Recorder) Add(s Stage) {
	now := r.now()
	s.Took, r.last = now.Sub(r.last), now
	if s.Status == Failed && r.err == nil {
		r.err = s.Err
	}
	r.report(s)
}

// Pass passes on a stage that is in order. hint may be zero.
func (r *Recorder) Pass(n Name, message, hint adapters.Text) {
	r.Add(Stage{Name: n, Status: OK, Message: message, Hint: hint})
}

// Fail passes on a stage that failed.
func (r *Recorder) Fail(n Name, err error) {
	e := adapters.AsError(err)
	r.Add(Stage{Name: n, Status: Failed, Message: e.Message, Hint: e.Hint, Err: e})
}

// Err returns the error of the stage that failed, nil where none did.
func (r *Recorder) Err() error {
	if r.err == nil {
		return nil // no typed nil
	}
	return r.err
}
