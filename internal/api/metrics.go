package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// metrics are what /metrics shows. What the store knows is read when it is asked.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	accepted prometheus.Counter
	handler  http.Handler
	unnamed  http.Handler // without what names a mailbox or a connection
}

func newMetrics(o *Options) *metrics {
	m := &metrics{
		registry: o.Metrics,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postino_http_requests_total", Help: "Requests of the HTTP listener.",
		}, []string{"method", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "postino_http_request_duration_seconds",
			Help:    "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30},
		}, []string{"method", "route"}),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postino_http_messages_accepted_total", Help: "Messages accepted by the HTTP listener.",
		}),
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.seconds, m.accepted, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newStoreCollector(o),
	} {
		// A registry that others fill may have the runtime's metrics already.
		if err := m.registry.Register(c); err != nil {
			o.Log.Debug("a metric is registered already", "err", err)
		}
	}
	how := promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}
	m.handler, m.unnamed = promhttp.HandlerFor(m.registry, how), promhttp.HandlerFor(unnamed{m.registry}, how)
	return m
}

// unnamed leaves out what has a label that may name someone: the
// lanes are mailboxes, and connections have the names that people gave them.
type unnamed struct{ prometheus.Gatherer }

// Gather implements prometheus.Gatherer.
func (g unnamed) Gather() ([]*dto.MetricFamily, error) {
	all, err := g.Gatherer.Gather()
	return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "state", "method", "route", "code", "version", "kind", "provider", "class", "outcome":
				default:
					return true
				}
			}
		}
		return false
	}), err
}

func (m *metrics) request(method, route string, code int, took time.Duration) {
	if route == "" {
		route = "none" // never the path itself: anyone could make series without end
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}

func (m *metrics) routes(rt *router) {
	o := op("metrics", http.MethodGet, "/metrics", "server", ScopeAdmin, "Metrics for Prometheus",
		"From the machine itself no key is needed, unless a proxy passed the request on; "+
			"then the figures of single mailboxes and connections are left out.")
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: "string"}}}}}
	rt.raw(localToo(o), func(w http.ResponseWriter, r *http.Request) error {
		if caller(r.Context()).admin() {
			m.handler.ServeHTTP(w, r)
		} else {
			m.unnamed.ServeHTTP(w, r)
		}
		return nil
	})
}
