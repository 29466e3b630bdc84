package watch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are what a round saw.
type figures struct {
	at            time.Time
	ends          map[credentialLabel]time.Time
	listeners     map[string]time.Time // by address
	lanesAtBudget int
	oldest        time.Time // when the mail that waits longest came, or was meant to leave; zero: none waits
	open          map[string]int
}

type credentialLabel struct{ connection, kind string }

// show makes the figures of a round those that are collected.
func (r *round) show() {
	r.figures.at, r.figures.open = r.now, map[string]int{}
	for i := range r.found {
		if r.found[i].level != quiet {
			r.figures.open[r.found[i].kind]++
		}
	}
	r.shown.Lock()
	defer r.shown.Unlock()
	r.last = r.figures
}

// A collector shows the figures of the last round.
type collector struct {
	w                                      *Watcher
	days, listeners, budget, oldest, alert *prometheus.Desc
}

// Collector returns the metrics of what is watched. They are those of the last
// round and cost no query.
func (w *Watcher) Collector() prometheus.Collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("postino_"+name, help, labels, nil)
	}
	return &collector{w: w,
		days: d("credential_days_left",
			"Days until a credential of a connection, or the certificate of its server, ends; negative: since it ended.", "connection", "kind"),
		listeners: d("listener_certificate_days_left", "Days until the certificate of a listener ends.", "listener"),
		budget:    d("lanes_at_budget", "Lanes that have used more than the watched part of their recipients a day."),
		oldest:    d("queue_oldest_waiting_seconds", "How long the mail that waits longest has waited, scheduled mail from its time on."),
		alert:     d("alerts", "Alerts that stand, by kind.", "kind"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.days, c.listeners, c.budget, c.oldest, c.alert} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.w.shown.Lock()
	f := c.w.last
	c.w.shown.Unlock()
	if f.at.IsZero() {
		return
	}
	now := c.w.opt.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for label, ends := range f.ends {
		gauge(c.days, ends.Sub(now).Hours()/24, label.connection, label.kind)
	}
	for address, ends := range f.listeners {
		gauge(c.listeners, ends.Sub(now).Hours()/24, address)
	}
	gauge(c.budget, float64(f.lanesAtBudget))
	oldest := 0.0
	if !f.oldest.IsZero() {
		oldest = max(0, now.Sub(f.oldest).Seconds())
	}
	gauge(c.oldest, oldest)
	for _, kind := range []string{KindSecret, KindClientCertificate, KindServerCertificate, KindListener, KindAuth, KindBudget, KindWaiting} {
		gauge(c.alert, float64(f.open[kind]), kind)
	}
}
