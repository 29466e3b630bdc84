package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postino-mail/postino/internal/smtpd"
)

// smtpMetrics shows what the SMTP listeners have counted.
type smtpMetrics struct{ counts *smtpd.Counts }

func (m smtpMetrics) descriptions() (sessions, messages, logins *prometheus.Desc) {
	outcome := []string{"outcome"}
	return prometheus.NewDesc("postino_smtp_sessions_total", "Connections to the SMTP listeners.", outcome, nil),
		prometheus.NewDesc("postino_smtp_messages_total", "Messages that the SMTP listeners took, put off (4xx) or refused.", outcome, nil),
		prometheus.NewDesc("postino_smtp_logins_total", "Logins at the SMTP listeners.", outcome, nil)
}

// Describe implements prometheus.Collector.
func (m smtpMetrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect implements prometheus.Collector.
func (m smtpMetrics) Collect(out chan<- prometheus.Metric) {
	sessions, messages, logins := m.descriptions()
	c := m.counts
	for _, x := range []struct {
		desc    *prometheus.Desc
		outcome string
		n       int64
	}{{sessions, "accepted", c.Sessions.Load()}, {sessions, "refused", c.SessionsRefused.Load()}, {messages, "accepted", c.Messages.Load()},
		{messages, "deferred", c.Deferred.Load()}, {messages, "refused", c.Refused.Load()}, {logins, "accepted", c.Logins.Load()},
		{logins, "refused", c.LoginsRefused.Load()}} {
		out <- prometheus.MustNewConstMetric(x.desc, prometheus.CounterValue, float64(x.n), x.outcome)
	}
}
