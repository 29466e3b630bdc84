package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/smtpd"
)

// Connections have series of their own, up to a bound: the others share one.
func TestCallMetrics(t *testing.T) {
	t.Parallel()
	m := newCallMetrics()
	for i := range maxNamed + 10 {
		c := &gateway.Connection{Connection: adapters.Connection{Name: fmt.Sprint("c", i), Provider: adapters.Graph}}
		m.called(c, adapters.Accepted, time.Second)
		m.called(c, adapters.Accepted, time.Second)
	}
	if n := testutil.CollectAndCount(m.connection); n != maxNamed+1 {
		t.Errorf("%d series", n)
	}
	first, others := testutil.ToFloat64(m.connection.WithLabelValues("c0", "accepted")), testutil.ToFloat64(m.connection.WithLabelValues("",
		"accepted"))
	if first != 2 || others != 20 || testutil.ToFloat64(m.attempts.WithLabelValues("graph", "accepted")) != 2*(maxNamed+10) {
		t.Error(first, others)
	}
}

func TestSMTPMetrics(t *testing.T) {
	t.Parallel()
	var c smtpd.Counts
	c.Sessions.Add(3)
	c.Refused.Add(2)
	if problems, err := testutil.CollectAndLint(smtpMetrics{&c}); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if n := testutil.CollectAndCount(smtpMetrics{&c}); n != 7 {
		t.Errorf("%d series", n)
	}
}
