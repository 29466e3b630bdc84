package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postino-mail/postino/adapters"
)

// callMetrics counts the calls of providers: a hosted service has too many
// connections for a series each, and the queue's figures name those in trouble.
type callMetrics struct {
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newCallMetrics() *callMetrics {
	return &callMetrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postino_attempts_total",
			Help: "Messages handed to a provider, by what came of it: accepted, permanent, transient, throttled, auth, unknown."},
			[]string{"provider", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postino_attempt_duration_seconds",
			Help:    "How long it took to hand a message to a provider, the token and the connection included.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}},
			[]string{"provider"}),
	}
}

// called is outbox.Options.Called.
func (m *callMetrics) called(provider adapters.Provider, class adapters.Class, took time.Duration) {
	m.attempts.WithLabelValues(string(provider), string(class)).Inc()
	m.seconds.WithLabelValues(string(provider)).Observe(took.Seconds())
}
