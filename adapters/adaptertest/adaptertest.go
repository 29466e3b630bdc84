// Package adaptertest is the conformance suite that every adapter passes: what
// the interface comments of package adapters promise, asked of a real adapter
// against a provider that the harness controls.
package adaptertest

import (
	"context"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A Fault is what the provider does to the next Send.
type Fault string

// The faults that a harness must be able to produce.
const (
	FaultPermanent   Fault = "permanent"     // refuses this message for good
	FaultTransient   Fault = "transient"     // asks to come back, surely not accepted
	FaultThrottled   Fault = "throttled"     // asks to wait RetryAfter
	FaultAuth        Fault = "auth"          // refuses the credential, also a renewed one
	FaultSendAs      Fault = "send-as"       // refuses the sender
	FaultLost        Fault = "lost-response" // accepts, and the answer never comes
	FaultGarbage     Fault = "garbage"       // answers what is no answer
	FaultHang        Fault = "hang"          // takes the message and answers nothing until the caller gives up
	FaultUnreachable Fault = "unreachable"   // no one listens
)

// RetryAfter is what a harness tells with FaultThrottled, where the protocol can say it.
const RetryAfter = 17 * time.Second

// Delivered is one message as the provider delivered it.
type Delivered struct {
	Recipients []string // exactly who gets a copy
	Received   []byte   // as the adapter sent it; nil for messages over 1 MB
	Shown      []byte   // as a recipient sees it; nil for messages over 1 MB
	Size       int64
}

// A Provider is one controlled provider with an adapter on it. A fresh one
// serves each subtest.
type Provider struct {
	Adapter   adapters.Adapter
	From      string                      // a sender that the adapter's connection may use
	Inject    func(t testing.TB, f Fault) // holds until the provider is closed
	Delivered func() []Delivered
	InFlight  func() int // the most messages that were in work at once
	Secrets   []string   // values that must never show
	Close     func()
}

// A Suite says how to get providers and what this adapter can do.
type Suite struct {
	Open         func(t testing.TB, limits adapters.Limits) *Provider
	TellsRetry   bool           // the protocol carries a Retry-After
	Partial      bool           // some recipients can be refused while others are accepted
	GarbageClass adapters.Class // what FaultGarbage means here
	TooLarge     int64          // a size that Check refuses; 0: none is known beforehand
	Verifies     bool           // the adapter is an adapters.Verifier
	HidesTo      bool           // the API view may drop header recipients who are not in the envelope
}

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, Suite)
	}{
		{"Accepted", testAccepted}, {"ExactEnvelope", testEnvelope}, {"BccPrivacy", testBcc},
		{"SameBytesOnRetry", testSameBytes}, {"Classes", testClasses}, {"Unreachable", testUnreachable},
		{"LostResponseIsUnknown", testLost}, {"Verify", testVerify}, {"NoSecretShown", testSecrets},
		{"CancelledBefore", testCancelledBefore}, {"CancelledDuring", testCancelledDuring},
		{"Oversize", testOversize}, {"RightLost", testPermit}, {"ConcurrentUse", testConcurrent}, {"ConstantMemory", testMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name != "ConstantMemory" { // measures the heap: alone
				t.Parallel()
			}
			c.run(t, s)
		})
	}
}

func (s Suite) open(t testing.TB, l adapters.Limits) *Provider {
	t.Helper()
	p := s.Open(t, l)
	t.Cleanup(func() {
		if err := p.Adapter.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		p.Close()
	})
	return p
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}
