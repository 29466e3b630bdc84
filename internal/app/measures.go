package app

import "github.com/prometheus/client_golang/prometheus"

// measures is the registry of /metrics with what the outbox knows; the HTTP
// listener adds the rest.
func (s *server) measures() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postino_leases_unattended",
			Help: "Deliveries that are leased and on which no process works, at the last look."},
			func() float64 { now, _ := s.outbox.Strays(); return float64(now) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "postino_leases_taken_back_total",
			Help: "Deliveries that were taken back since the start because no process worked on them; their outcome was verified."},
			func() float64 { _, taken := s.outbox.Strays(); return float64(taken) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "postino_senders_not_told_total",
			Help: "Notifications that this node could not make since the start: their senders know nothing of a failure or a delay."},
			func() float64 { return float64(s.outbox.NotTold()) }),
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}
