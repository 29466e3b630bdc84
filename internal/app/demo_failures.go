package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// envelope shows that the envelope decides who is mailed: one of the header's
// recipients is not in it.
func (d *demo) envelope(m *mime.Message) {
	d.say("", text("demo.envelope", "The same message again, its envelope naming {address} alone:", "address", demoTo))
	for _, c := range d.connections() {
		if d.err != nil {
			return
		}
		if _, err := d.sender.Send(d.ctx, c, d.outgoing(m, demoTo)); err != nil {
			d.fail("%s: %w", c.Name, err)
			return
		}
		got, ok := d.last(c)
		if !ok {
			return
		}
		d.field("   ", 6, mime.Text{English: c.Name}, text("demo.arrived_for", "arrived for {recipients}",
			"recipients", strings.Join(got.Recipients, ", ")).In(d.lang))
		if !slices.Equal(got.Recipients, []string{demoTo}) {
			d.fail("%s: mailed %v", c.Name, got.Recipients)
		}
	}
	n := d.sandbox.Counters()
	d.say("   ", text("demo.token_requests", "token requests so far: Entra {entra}, Google {google}, for 4 sends\n",
		"entra", n["entra.token"], "google", n["google.token"]))
	if n["entra.token"] != 1 || n["google.token"] != 1 {
		d.fail("a token was asked for more than once")
	}
}

// demoFailure is one failure of one class on one route.
type demoFailure struct {
	class adapters.Class
	title mime.Text
	conn  func(s *sandbox.Sandbox) *adapters.Connection
	fault sandbox.Fault
	want  int // messages that arrive all the same
}

func demoFailures() []demoFailure {
	overGraph := func(s *sandbox.Sandbox) *adapters.Connection { return s.GraphConnection(demoFrom) }
	return []demoFailure{
		{adapters.Permanent, text("demo.failure_permanent", "Graph refuses the sender"), overGraph,
			sandbox.Fault{Service: "graph", Op: "sendMail", Status: 403,
				Code: "ErrorSendAsDenied"}, 0},
		{adapters.Transient, text("demo.failure_transient", "The SMTP server is restarting"), func(s *sandbox.Sandbox) *adapters.Connection {
			return s.SMTPConnection(demoFrom)
		},
			sandbox.Fault{Service: "smtp", Op: "mail", Reply: "421 4.3.2 Service shutting down"}, 0},
		{adapters.Throttled, text("demo.failure_throttled", "Graph: too many at once"), overGraph,
			sandbox.Fault{Service: "graph", Op: "sendMail", Status: 429,
				Code: "ApplicationThrottled", RetryAfter: 17 * time.Second}, 0},
		{adapters.Auth, text("demo.failure_auth", "The client secret has expired"), func(s *sandbox.Sandbox) *adapters.Connection {
			c := s.GraphConnection(demoFrom)
			graph.SettingsOf(c).ClientSecret = sandbox.ExpiredSecret
			return c
		}, sandbox.Fault{}, 0},
		{adapters.Unknown, text("demo.failure_unknown", "Gmail accepts, its answer is lost"), func(s *sandbox.Sandbox) *adapters.Connection {
			return s.GmailConnection(demoFrom)
		},
			sandbox.Fault{Service: "gmail", Op: "send", After: true, Reset: true}, 1},
	}
}

// failures shows one failure of each class with its sentence and hint.
func (d *demo) failures(m *mime.Message) {
	d.say("", text("demo.failures", "One failure of each class:"))
	for _, f := range demoFailures() {
		if d.err != nil {
			return
		}
		c := f.conn(d.sandbox)
		c.Name = f.title.In(d.lang)
		if f.fault.Service != "" {
			f.fault.Times = 1
			d.sandbox.Inject(f.fault)
		}
		before := len(d.sandbox.Deliveries())
		out := d.outgoing(m, demoTo)
		_, err := d.sender.Send(d.ctx, c, out)
		e := adapters.AsError(err)
		if e == nil || e.Class != f.class {
			d.fail("%v: expected class %s, got %v", f.title, f.class, err)
			return
		}
		d.field("   ", 10, view.ClassLabel(e.Class), c.Name)
		d.printf("              %s", e.Message.In(d.lang))
		if c := e.ShownCode(); c != "" {
			d.printf(" (%s)", c)
		}
		if e.RetryAfter > 0 {
			d.printf("%s", text("demo.wait", "; wait {time}", "time", e.RetryAfter.String()).In(d.lang))
		}
		d.printf("\n")
		if r := e.Hint.In(d.lang); r != "" {
			d.printf("              -> %s\n", r)
		}
		if f.class == adapters.Unknown {
			d.verified(c, out, e)
		}
		if got := len(d.sandbox.Deliveries()) - before; got != f.want {
			d.fail("%v: %d messages arrived, expected %d", f.title, got, f.want)
		}
	}
	d.say("\n", text("demo.done", "Done. Connect a real provider: see README.md."))
}

// verified asks the provider about the unknown outcome instead of sending again.
func (d *demo) verified(c *adapters.Connection, out adapters.Outgoing, e *adapters.Error) {
	adapter, err := d.sender.Adapter(c)
	if err != nil {
		d.fail("%s: %w", c.Name, err)
		return
	}
	v, ok := adapter.(adapters.Verifier)
	if !ok {
		d.fail("%s cannot verify", c.Name)
		return
	}
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	verdict, _, err := v.Verify(ctx, adapters.VerifyRequest{Outgoing: out, ProviderID: e.ProviderID})
	if err != nil || verdict != adapters.Sent {
		d.fail("the unknown outcome was not cleared up: %s, %v", verdict, err)
		return
	}
	d.say("              ", text("demo.verified", "asked the provider instead of sending again: it was sent, once"))
}
