package app

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
)

// callMetrics counts the calls of providers.
type callMetrics struct {
	attempts   *prometheus.CounterVec
	connection *prometheus.CounterVec
	seconds    *prometheus.HistogramVec

	mu    sync.Mutex
	named map[string]bool // connections with series of their own
}

// maxNamed bounds the connections that have series of their own: a hosted service has
// too many for that, and the queue's figures name those in trouble.
const maxNamed = 500

func newCallMetrics() *callMetrics {
	return &callMetrics{
		named: make(map[string]bool),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postino_attempts_total",
			Help: "Messages handed to a provider, by what came of it: accepted, permanent, transient, throttled, auth, unknown."},
			[]string{"provider", "class"}),
		connection: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postino_connection_attempts_total",
			Help: "Messages handed over by a connection; beyond 500 connections those of the others together, without a name."},
			[]string{"connection", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postino_attempt_duration_seconds",
			Help:    "How long it took to hand a message to a provider, the token and the connection included.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}},
			[]string{"provider"}),
	}
}

// called is outbox.Options.Called.
func (m *callMetrics) called(conn *gateway.Connection, class adapters.Class, took time.Duration) {
	m.attempts.WithLabelValues(string(conn.Provider), string(class)).Inc()
	m.connection.WithLabelValues(m.label(conn.Name), string(class)).Inc()
	m.seconds.WithLabelValues(string(conn.Provider)).Observe(took.Seconds())
}

// label is the name, or empty for those beyond maxNamed.
func (m *callMetrics) label(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.named[name] {
		if len(m.named) == maxNamed {
			return ""
		}
		m.named[name] = true
	}
	return name
}
