package graph_test

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
)

// A draft that was made half an hour ago and sent just now is on its way, not
// left lying: deleting it would have its message sent again.
func TestSentJustNowIsNotStale(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	sb.Configure(func(s *sandbox.Switches) { s.GraphSettle = time.Hour })
	sb.Inject(sandbox.Fault{Service: "graph", Op: "createUploadSession", Times: 1, Delay: 300 * time.Millisecond})
	sb.Inject(sandbox.Fault{Service: "graph", Op: "send", Times: 1, Reset: true, After: true})
	go func() {
		for sb.Counters()["graph.createUploadSession"] == 0 {
			<-time.After(time.Millisecond)
		}
		sb.Configure(func(s *sandbox.Switches) { s.GraphAhead = 31 * time.Minute })
	}()
	out := withFile(t, 6_000_000)
	began := time.Now()
	_, err := a.Send(t.Context(), out)
	e := adapters.AsError(err)
	if e == nil || e.Class != adapters.Unknown || len(sb.Deliveries()) != 1 {
		t.Fatalf("%v, %d delivered", err, len(sb.Deliveries()))
	}
	for _, id := range []string{e.ProviderID, ""} {
		v, _, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: out, ProviderID: id, Since: began})
		if err != nil || v != adapters.InProgress {
			t.Errorf("%v, %v", v, err)
		}
	}
}
