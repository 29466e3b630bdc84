package sandbox

import (
	"context"
	"time"
)

// A service is one fake provider. It gets everything shared from the Sandbox:
//
//	s.switches()                      the switches as they are now
//	s.now()                           the clock; never time.Now for anything a test may move
//	s.count("gmail.send")             one request, at its very beginning
//	s.enter("gmail", mailbox)         concurrency: how many are open now, and how to leave
//	s.sleep(ctx, d)                   latency; false when the caller or the sandbox is gone
//	s.fault(service, op, match)       the fault that acts on this request, if any
//	s.httpFault(...)                  the same for HTTP: see there
//	s.receive(body)                   read a message: hashes, header, spooled beyond 64 KB
//	s.deliver(Delivery{...}, m)       record it
//	s.ca.serverTLS(names...)          a server certificate of the private CA
//	s.listeners.serveTLS(s, handler)  an HTTPS server on a free port, closed by the Sandbox
//	s.listenTLS(names...)             a bare TLS listener on a free port; the caller closes it
//	s.entra.verify(token)             what an access token of the fake Entra says (for SMTP OAuth)
type service interface {
	// start listens. The Sandbox outlives the service.
	start(s *Sandbox) error
	// close stops what start started, except listeners of s.listeners, and
	// returns when no goroutine of the service is left.
	close() error
	// reset forgets what requests left behind; the keys stay.
	reset()
}

// build makes the services in their order of start.
func (s *Sandbox) build() []service {
	s.entra, s.graph = new(entraServer), new(graphServer)
	s.google, s.gmail, s.smtp = new(googleServer), new(gmailServer), new(smtpServer)
	return []service{s.entra, s.graph, s.google, s.gmail, s.smtp}
}

func (s *Sandbox) now() time.Time { return s.clock() }

// sleep waits in real time. It is false when ctx or the sandbox ended first.
func (s *Sandbox) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil && s.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}
