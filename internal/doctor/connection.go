package doctor

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
)

// The stages that the gateway adds to those of an adapter: settings comes first,
// the others last.
const (
	Settings stages.Name = "settings" // the connection can be used at all
	Budget   stages.Name = "budget"   // recipients that the mailbox's day leaves
	Message  stages.Name = "message"  // a real message is accepted
	Sent     stages.Name = "sent"     // and found among the sent ones
)

// A Sender makes adapters. Each test has one of its own: what is kept or
// remembered for sending would hide what is to be tested.
type Sender interface {
	Adapter(conn *adapters.Connection) (adapters.Adapter, error)
	Close() error
}

// Options of a Doctor; Sender is required.
type Options struct {
	Sender func() Sender
	Limit  time.Duration    // of a whole test without a message; 0: a minute
	Follow time.Duration    // how long a message is followed; 0: a minute
	Now    func() time.Time // nil: time.Now
	Pause  func(context.Context, time.Duration) error
}

// A Doctor tests connections. Safe for concurrent use.
type Doctor struct{ opt Options }

// New makes a Doctor.
func New(o Options) *Doctor {
	if o.Limit <= 0 {
		o.Limit = time.Minute
	}
	if o.Follow <= 0 {
		o.Follow = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pause == nil {
		o.Pause = pause.For
	}
	return &Doctor{o}
}

// A Test says what to test.
type Test struct {
	Connection *gateway.Connection
	From       mime.Mailbox // the sender to test; none: the connection's own
	To         mime.Mailbox // a real message goes there; none: no message is sent
	Language   string       // of that message
	Queue      Queue        // takes that message as mail like any other; nil: it is sent at once, past all other mail
	State      *State       // what the store knows of the connection; nil: it is not stored
}

// A Queue sends the message of a test as a gateway sends all its mail.
type Queue interface {
	// Send returns when the message was accepted or refused; with ErrWaits, neither has
	// happened so far.
	Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error)
}

// ErrWaits is the error of a Queue that has a message and has not sent it yet.
var ErrWaits = errors.New("the message waits in the queue")

// A State is what the store knows of a connection.
type State struct {
	Created time.Time             // when it was stored first; zero: not known
	Status  store.ConnectionState // pauses and their reason
	Lane    *store.Lane           // of its mailbox; nil: it has sent nothing yet, or sends for several
}

// StateOf reads the state; lane as registry.Status has it.
func StateOf(c *gateway.Connection, status store.ConnectionState, lane *store.Lane) *State {
	s := &State{Status: status, Lane: lane}
	if id, err := store.ParseID(c.ID); err == nil {
		s.Created = id.Time()
	}
	return s
}

// Sends reports whether mail over a connection leaves now, as far as the store knows:
// without a pause, and with a mailbox that takes some.
func (s *State) Sends(c *gateway.Connection, now time.Time) bool {
	return c.IsActive() && !s.Status.PausedUntil.After(now) && s.Status.Breaker.State != "open" &&
		(s.Lane == nil || !s.Lane.PausedUntil.After(now))
}

// A Result is all stages of a test.
type Result struct {
	OK     bool
	Stages []stages.Stage
}

// Class is the class of what failed, adapters.Accepted where nothing did.
func (r Result) Class() adapters.Class {
	for _, s := range r.Stages {
		if s.Status == stages.Failed {
			return adapters.ClassOf(s.Err)
		}
	}
	return adapters.Accepted
}

// Connection tests a connection. It calls report, which may be nil, for each
// stage as it ends, from this goroutine. After a stage that failed the others
// are skipped. ctx ends the test; so does a time limit.
func (d *Doctor) Connection(ctx context.Context, t Test, report func(stages.Stage)) Result {
	r := &run{Doctor: d, test: t, report: report}
	limit := d.opt.Limit
	if !t.To.IsZero() {
		limit += d.opt.Limit + d.opt.Follow
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := r.all(ctx); err != nil { // of closing; it changes nothing of what was found
		r.rec.Add(stages.Stage{Name: "close", Status: stages.Unproven, Message: text("test.close",
			"a connection to the server does not close")})
	}
	r.skipRest()
	res := Result{OK: true, Stages: r.stages}
	for _, s := range r.stages {
		res.OK = res.OK && s.Status != stages.Failed
	}
	return res
}

// A run is one test under way.
type run struct {
	*Doctor
	test   Test
	report func(stages.Stage)
	rec    *stages.Recorder
	stages []stages.Stage
	held   *stages.Stage // the sender, which the message proves
	failed bool
}

// add takes a stage from an adapter or from here.
func (r *run) add(s stages.Stage) {
	if s.Name == stages.Sender && s.Status == stages.Unproven && !r.test.To.IsZero() {
		r.held = &s
		return
	}
	if s.Status == stages.Failed {
		r.failed = true
		r.explain(&s)
	}
	r.stages = append(r.stages, s)
	if r.report != nil {
		r.report(s)
	}
}

// all runs the stages. The error is of closing.
func (r *run) all(ctx context.Context) (err error) {
	r.rec = stages.NewRecorder(r.opt.Now, r.add)
	c := &r.test.Connection.Connection
	if path := r.test.Connection.RedactedSecret(); path != "" {
		r.rec.Fail(Settings, &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: c.Provider,
			Code:    adapters.CodeClosedSecret,
			Message: text("test.secret_closed", "the secret {field} does not open with this installation's key", "field", path),
			Hint:    text("test.secret_closed_hint", "start with the key that sealed it, or enter the secret again")})
		return nil
	}
	sender := r.opt.Sender()
	defer func() { err = sender.Close() }()
	adapter, aerr := sender.Adapter(c)
	if aerr != nil {
		r.rec.Fail(Settings, aerr)
		return nil
	}
	r.settings()
	tester, ok := adapter.(stages.Tester)
	if !ok {
		if err := adapter.Probe(ctx); err != nil {
			r.rec.Fail(stages.Mailbox, err)
		}
	} else {
		tester.Test(ctx, stages.Request{From: r.test.From}, r.add)
	}
	r.rec = stages.NewRecorder(r.opt.Now, r.add) // its clock begins here
	if !r.failed {
		r.budget()
	}
	if !r.failed && !r.test.To.IsZero() {
		r.message(ctx, adapter)
	}
	return nil
}

// settings passes, with a word on what keeps the connection from being used.
func (r *run) settings() {
	c := r.test.Connection
	message, hint := text("test.settings_ok", "the settings are complete"), mime.Text{}
	switch st := r.test.State; {
	case !c.IsActive():
		hint = text("test.inactive",
			"the connection is switched off, so that its mail waits: switch it on with 'postino connection enable'")
	case st != nil && st.Status.PausedUntil.After(r.opt.Now()):
		hint = text("test.paused", "the connection is paused: when this test is in order, end the pause with 'postino connection resume'")
	}
	r.rec.Pass(Settings, message, hint)
}

// budget is what the day's limit leaves.
func (r *run) budget() {
	st := r.test.State
	limit := r.test.Connection.EffectiveLimits().RecipientsPerDay
	switch {
	case st == nil:
		r.rec.Add(stages.Stage{Name: Budget, Status: stages.Skipped,
			Message: text("test.budget_no_store", "the connection is not stored, so nothing is counted for it yet")})
		return
	case limit == 0:
		r.rec.Pass(Budget, text("test.budget_none", "the connection has no limit of recipients a day"), mime.Text{})
		return
	}
	used := 0
	if st.Lane != nil {
		used = st.Lane.UsedToday(r.opt.Now())
	}
	if used < limit {
		hint := mime.Text{}
		if used >= limit*4/5 {
			hint = text("test.budget_low", "the day is nearly used up: spread the mail, or name a fallback connection")
		}
		r.rec.Pass(Budget, mime.NewCount("test.budget_left", limit-used, "one of {limit} recipients of this day is left",
			"{count} of {limit} recipients of this day are left", "limit", limit), hint)
		return
	}
	r.rec.Fail(Budget, &adapters.Error{Class: adapters.Throttled, Scope: adapters.ScopeLane, Provider: r.test.Connection.Provider,
		Code:    "daily_limit",
		Message: text("test.budget_used", "the {limit} recipients of this day are used up, so that mail waits", "limit", limit),
		Hint:    text("test.budget_used_hint", "wait until tomorrow, or name a fallback connection with on_quota_exceeded fallback")})
}

// expected are the stages that a test of the provider has, in order.
func (r *run) expected() []stages.Name {
	c := &r.test.Connection.Connection
	api := []stages.Name{Settings, stages.DNS, stages.TCP, stages.TLS, stages.Greeting, stages.Token, stages.Roles, stages.Mailbox,
		stages.Lookup, stages.Sender, Budget}
	names := api
	if c.Provider == adapters.SMTP {
		names = []stages.Name{Settings, stages.DNS, stages.TCP, stages.TLS, stages.Greeting, stages.Offers, stages.Token,
			stages.Authentication, stages.Sender, Budget}
		if set := fallback.SettingsOf(c); set == nil || set.OAuth == nil {
			names = slices.DeleteFunc(names, func(n stages.Name) bool { return n == stages.Token })
		}
	}
	if r.test.To.IsZero() {
		return names
	}
	if names = append(names, Message); c.Provider != adapters.SMTP {
		names = append(names, Sent)
	}
	return names
}

// skipRest passes on what did not run because a stage before it failed.
func (r *run) skipRest() {
	i := slices.IndexFunc(r.stages, func(s stages.Stage) bool { return s.Status == stages.Failed })
	if i < 0 {
		return
	}
	reason := text("test.skipped", "not tested, because {stage} failed", "stage", Label(r.stages[i].Name))
	for _, n := range r.expected() {
		if !slices.ContainsFunc(r.stages, func(s stages.Stage) bool { return s.Name == n }) {
			r.rec.Add(stages.Stage{Name: n, Status: stages.Skipped, Message: reason})
		}
	}
}

// propagation is how long a right that was given in Exchange takes to count.
const propagation = 2 * time.Hour // contracts B8.6

// explain tells "not yet" from "out of scope" where Graph denies access: both
// look alike to whoever asks, so that time and Exchange's own test decide.
func (r *run) explain(s *stages.Stage) {
	// contracts B8.6, B8.7
	e, c := s.Err, r.test.Connection
	set := graph.SettingsOf(&c.Connection)
	if e == nil || e.ProviderCode != "ErrorAccessDenied" || set == nil {
		return
	}
	check := text("test.test_authorization",
		"in Exchange Online PowerShell Test-ServicePrincipalAuthorization -Identity {client_id} -Resource {mailbox} asks past the cache: "+
			"InScope True means wait, False means that the mailbox is out of scope",
		"client_id", shellWord(set.ClientID), "mailbox", shellWord(c.Mailbox(r.test.From)))
	now := r.opt.Now()
	st := r.test.State
	switch {
	case st == nil || st.Created.IsZero():
	case now.Before(st.Created.Add(propagation)):
		until := st.Created.Add(propagation)
		s.Message = text("test.not_yet", "{message}; the connection is new, and a right that was just given takes up to 2 hours to count: "+
			"this may be a matter of waiting", "message", s.Message)
		s.Hint = stages.And(text("test.not_yet_hint", "if the right was given, test again until {time}; {check}", "time",
			terminal.UTC(until), "check", check), s.Hint)
		return
	case st.Status.Error != nil && st.Status.Error.ProviderCode == e.ProviderCode && now.After(st.Status.ChangedAt.Add(propagation)):
		s.Message = text("test.out_of_scope", "{message}; this has been so for more than the 2 hours that a change takes, so the mailbox "+
			"is out of the application's scope", "message", s.Message)
	}
	s.Hint = stages.And(s.Hint, check)
}

// shellWord quotes a value for PowerShell where that is needed.
func shellWord(s string) string {
	plain := s != ""
	for _, c := range s {
		plain = plain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '@' || c == '_')
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

var errNoSender = errors.New("no sender is named")
