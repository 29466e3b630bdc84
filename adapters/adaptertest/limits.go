package adaptertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

func testSecrets(t *testing.T, s Suite) {
	for _, f := range []Fault{FaultPermanent, FaultAuth, FaultGarbage, FaultUnreachable, FaultLost} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			p := s.open(t, adapters.Limits{})
			p.Inject(t, f)
			m := message(t, p.From, "secrets", []string{"a@example.com"}, nil, nil)
			_, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com"))
			if err == nil {
				t.Fatal("no error")
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Error("send", "err", err)
			js, _ := json.Marshal(adapters.AsError(err))
			shown := fmt.Sprintf("%v %+v %s %s", err, adapters.AsError(err).Message, log.String(), js)
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				shown += cause.Error()
			}
			for _, secret := range p.Secrets {
				if secret != "" && strings.Contains(shown, secret) {
					t.Errorf("a secret shows in: %s", strings.ReplaceAll(shown, secret, "[SECRET]"))
				}
			}
		})
	}
}

func testCancelledBefore(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := message(t, p.From, "cancelled", []string{"a@example.com"}, nil, nil)
	_, err := p.Adapter.Send(ctx, outgoing(t, m, p.From, "a@example.com"))
	if adapters.ClassOf(err) != adapters.Transient || len(p.Delivered()) != 0 {
		t.Errorf("class %s (%v), delivered %d; want transient and nothing", adapters.ClassOf(err), err, len(p.Delivered()))
	}
}

func testCancelledDuring(t *testing.T, s Suite) {
	p := s.open(t, adapters.Limits{})
	p.Inject(t, FaultHang)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	m := message(t, p.From, "hang", []string{"a@example.com"}, nil, nil)
	sent := make(chan error, 1)
	go func() {
		_, err := p.Adapter.Send(ctx, outgoing(t, m, p.From, "a@example.com"))
		sent <- err
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(p.Delivered()) == 0 { // the provider has the whole message, however slow this machine is
		select {
		case err := <-sent:
			t.Fatalf("the provider answered: %v", err)
		case <-tick.C:
		}
	}
	cancel()
	select {
	case err := <-sent:
		if adapters.ClassOf(err) != adapters.Unknown {
			t.Errorf("class %s, want unknown: the message had been handed over: %v", adapters.ClassOf(err), err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Send goes on though it was cancelled")
	}
}

func testOversize(t *testing.T, s Suite) {
	if s.TooLarge == 0 {
		t.Skip("this route's size is known by the provider alone")
	}
	p := s.open(t, adapters.Limits{})
	m, err := mime.Read(big(message(t, p.From, "oversize", []string{"a@example.com"}, nil, nil), s.TooLarge), mime.Limits{})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	out := outgoing(t, m, p.From, "a@example.com")
	for _, err := range []error{p.Adapter.Check(out), sendErr(p.Adapter.Send(testContext(t), out))} {
		e := adapters.AsError(err)
		if e == nil || e.Class != adapters.Permanent || !e.TooLarge {
			t.Errorf("gave %+v, want permanent and TooLarge", e)
		}
	}
	if len(p.Delivered()) != 0 {
		t.Error("an oversized message was delivered")
	}
}

func sendErr(_ adapters.Receipt, err error) error { return err }

func testConcurrent(t *testing.T, s Suite) {
	const limit, n = 3, 24
	l := limit
	p := s.open(t, adapters.Limits{Concurrency: &l})
	var wg sync.WaitGroup
	slots := make(chan struct{}, limit) // the lane's cap is the caller's; the adapter must not exceed what it is asked
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			m := message(t, p.From, fmt.Sprint("concurrent-", i), []string{"a@example.com"}, nil, nil)
			if _, err := p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com")); err != nil {
				t.Errorf("Send %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := p.InFlight(); got > limit {
		t.Errorf("%d in flight at the provider, cap %d", got, limit)
	}
	seen := map[string]bool{}
	for _, d := range p.Delivered() {
		seen[string(d.Received)] = true
	}
	if len(seen) != n {
		t.Errorf("%d different messages delivered, want %d", len(seen), n)
	}
}

func testMemory(t *testing.T, s Suite) {
	if testing.Short() {
		t.Skip("100 MB: not with -short")
	}
	size := int64(100 << 20)
	if s.TooLarge != 0 && s.TooLarge <= size {
		size = s.TooLarge - 2<<20
	}
	p := s.open(t, adapters.Limits{})
	src := big(message(t, p.From, "memory", []string{"a@example.com"}, nil, nil), size)
	m, err := mime.Read(src, mime.Limits{})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done := make(chan uint64)
	stop := make(chan struct{})
	go func() {
		var peak uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				done <- peak
				return
			case <-tick.C:
				var ms runtime.MemStats
				runtime.ReadMemStats(&ms)
				peak = max(peak, ms.HeapInuse)
			}
		}
	}()
	_, err = p.Adapter.Send(testContext(t), outgoing(t, m, p.From, "a@example.com"))
	close(stop)
	peak := <-done
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	grown := int64(peak) - int64(before.HeapInuse)
	t.Logf("%d MB sent, heap grew by at most %.1f MB", size>>20, float64(grown)/(1<<20))
	if grown > 48<<20 {
		t.Errorf("heap grew by %d MB for a message of %d MB", grown>>20, size>>20)
	}
	if d := p.Delivered(); len(d) != 1 {
		t.Errorf("delivered %d times", len(d))
	}
}
