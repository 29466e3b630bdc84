package app

import "github.com/prometheus/client_golang/prometheus"

// metrics is the registry of /metrics with what the outbox knows; the HTTP
// listener adds the rest.
func (s *server) metrics() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	all := []prometheus.Collector{s.calls.attempts, s.calls.connection, s.calls.seconds, smtpMetrics{&s.smtp},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postino_leases_abandoned",
			Help: "Deliveries that are leased and on which no process works, at the last check."},
			func() float64 { now, _ := s.outbox.Strays(); return float64(now) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "postino_leases_recovered_total",
			Help: "Deliveries that were recovered since the start because no process worked on them; their outcome was verified."},
			func() float64 { _, taken := s.outbox.Strays(); return float64(taken) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "postino_senders_not_notified_total",
			Help: "Notifications that this node could not make since the start: their senders know nothing of a failure or a delay."},
			func() float64 { return float64(s.outbox.NotNotified()) }),
	}
	if s.watcher != nil {
		all = append(all, s.watcher.Collector())
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}
