// Package sandboxtest connects the adapters to the fake servers of
// adapters/sandbox for their tests, with real tokens and as providers of the
// conformance suite.
package sandboxtest

import (
	"cmp"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/adaptertest"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/tokens"
)

// Start starts a sandbox and makes an adapter for the connection to it, with
// tokens of a cache of its own. All of it ends with the test.
func Start(t testing.TB, connection func(*sandbox.Sandbox) *adapters.Connection,
	adapter func(*adapters.Connection, adapters.TokenSources, *http.Client) (adapters.Adapter, error)) (*sandbox.Sandbox, adapters.Adapter) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cache := tokens.NewCache(tokens.Options{HTTPClient: sb.HTTPClient()})
	a, err := adapter(connection(sb), cache, sb.HTTPClient())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, err := range []error{a.Close(), cache.Close(), sb.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return sb, a
}

// A Provider is what the conformance suite needs to know of an adapter.
type Provider struct {
	Service, Op string // where a message is handed over in one request
	From        string
	Secrets     []string
	// Permanent, Transient, Throttled and SendAs are the provider's own ways to
	// refuse; those without a Service happen at Op.
	Permanent, Transient, Throttled, SendAs sandbox.Fault
	// Auth, Lost, Garbage and Hang are set where the provider is not reached over HTTP.
	Auth, Lost, Garbage, Hang sandbox.Fault
}

// Conform makes a provider of the conformance suite from an adapter on its sandbox.
func Conform(t testing.TB, sb *sandbox.Sandbox, a adapters.Adapter, p Provider) *adaptertest.Provider {
	faults := map[adaptertest.Fault]sandbox.Fault{
		adaptertest.FaultPermanent: p.Permanent,
		adaptertest.FaultTransient: p.Transient,
		adaptertest.FaultThrottled: p.Throttled,
		adaptertest.FaultSendAs:    p.SendAs,
		adaptertest.FaultAuth:      cmp.Or(p.Auth, sandbox.Fault{Status: http.StatusUnauthorized}),
		adaptertest.FaultLost:      cmp.Or(p.Lost, sandbox.Fault{After: true, Reset: true}),
		adaptertest.FaultGarbage:   cmp.Or(p.Garbage, sandbox.Fault{Status: http.StatusOK, Body: "<html>Welcome to the hotel's network"}),
		adaptertest.FaultHang:      cmp.Or(p.Hang, sandbox.Fault{After: true, Delay: time.Hour, Reset: true}),
	}
	return &adaptertest.Provider{
		Adapter: a, From: p.From, Secrets: p.Secrets,
		Inject: func(t testing.TB, f adaptertest.Fault) {
			if f == adaptertest.FaultUnreachable {
				if err := sb.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			fault, ok := faults[f]
			if !ok {
				t.Fatalf("no such fault: %s", f)
			}
			if fault.Service == "" {
				fault.Service, fault.Op = p.Service, p.Op
			}
			sb.Inject(fault)
		},
		Delivered: func() []adaptertest.Delivered { return delivered(t, sb) },
		InFlight:  func() int { return sb.MaxInFlight(p.Service) },
		Close:     func() {},
	}
}

func delivered(t testing.TB, sb *sandbox.Sandbox) (out []adaptertest.Delivered) {
	t.Helper()
	for _, d := range sb.Deliveries() {
		one := adaptertest.Delivered{Recipients: d.Recipients, Size: d.Size}
		if d.Size <= 1<<20 {
			one.Received, one.Shown = Read(t, sb.Open, d), Read(t, sb.OpenShown, d)
		}
		out = append(out, one)
	}
	return out
}

// Read returns the bytes of a delivery: sb.Open as they were sent, sb.OpenShown
// as a recipient sees them.
func Read(t testing.TB, open func(sandbox.Delivery) (io.ReadCloser, error), d sandbox.Delivery) []byte {
	t.Helper()
	rc, err := open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
