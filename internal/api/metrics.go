package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/postino-mail/postino/internal/store"
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
	m := &metrics{registry: o.Metrics,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postino_http_requests_total", Help: "Requests of the HTTP door."}, []string{"method", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postino_http_request_seconds", Help: "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}}, []string{"method", "route"}),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{Name: "postino_http_messages_accepted_total", Help: "Messages taken by the HTTP door."})}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.accepted, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newStoreCollector(o)} {
		// A registry that others fill may have the runtime's metrics already.
		if err := m.registry.Register(c); err != nil {
			o.Log.Debug("a metric is registered already", "err", err)
		}
	}
	how := promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}
	m.handler, m.unnamed = promhttp.HandlerFor(m.registry, how), promhttp.HandlerFor(unnamed{m.registry}, how)
	return m
}

// unnamed leaves out what has a label that is not known to name nobody: the
// lanes are mailboxes, and connections have the names that people gave them.
type unnamed struct{ prometheus.Gatherer }

// Gather implements prometheus.Gatherer.
func (g unnamed) Gather() ([]*dto.MetricFamily, error) {
	all, err := g.Gatherer.Gather()
	return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "state", "method", "route", "code", "version":
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
		route = "none" // never the path itself: anybody could make series without end
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}

// A storeCollector reads the queue when it is asked.
type storeCollector struct {
	opt                                                                                          *Options
	count                                                                                        queueCount
	deliveries, oldest, lanes, paused, bodies, pausedConnections, events, up, depth, age, closed *prometheus.Desc
}

// A queueCount keeps the figures of the queue for a hundred times as long as
// counting them took, so that a long queue that is asked for often costs no
// more than a hundredth of a core. While a count takes longer than who asks may
// wait, the figures of before are given.
type queueCount struct {
	mu       sync.Mutex
	stats    store.Stats
	at, next time.Time     // when counted, and when to count again
	err      error         // of the last count
	running  chan struct{} // closed when the count under way ends; nil: none is
}

// longestCount bounds one count.
const longestCount = time.Minute

func (c *queueCount) get(ctx context.Context, o *Options) (store.Stats, time.Time, error) {
	if running := c.begin(o); running != nil {
		select {
		case <-running:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return store.Stats{}, time.Time{}, c.err
	case c.at.IsZero():
		return store.Stats{}, time.Time{}, ctx.Err()
	}
	return c.stats, c.at, nil
}

// begin starts a count when it is time, and gives the one under way.
func (c *queueCount) begin(o *Options) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := o.Now()
	if c.running != nil || begin.Before(c.next) && !begin.Before(c.at) {
		return c.running
	}
	c.running = make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), longestCount)
		defer cancel()
		stats, err := o.Store.Stats(ctx, begin)
		end := o.Now()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err = err; err == nil {
			c.stats, c.at = stats, begin
		}
		c.next = end.Add(100 * end.Sub(begin))
		close(c.running)
		c.running = nil
	}()
	return c.running
}

func newStoreCollector(o *Options) *storeCollector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("postino_"+name, help, labels, nil)
	}
	return &storeCollector{opt: o,
		deliveries:        d("queue_deliveries", "Deliveries in each state.", "state"),
		oldest:            d("queue_oldest_due_seconds", "How long the due delivery that waits longest has waited."),
		lanes:             d("lanes", "Lanes: mailboxes that share limits."),
		paused:            d("lanes_paused", "Lanes that are paused now."),
		closed:            d("connections_closed_secrets", "Connections with a secret that this node's key does not open: nothing is sent through them."),
		age:               d("queue_counted_seconds", "How old the figures of the queue are: they are counted again when they are a hundred times as old as counting takes."),
		bodies:            d("stored_bytes", "Bytes of messages that are kept."),
		pausedConnections: d("connection_paused", "1 for a connection that is paused now.", "connection"),
		events:            d("events_last_seq", "Number of the last event."),
		up:                d("store_up", "1 when the store answered."),
		depth:             d("lane_queued", "Deliveries that wait, of the first 100 lanes that have any.", "lane")}
}

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.deliveries, c.oldest, c.lanes, c.paused, c.bodies, c.pausedConnections, c.events, c.up, c.depth, c.age, c.closed} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := c.opt.Now()
	up := 1.0
	if err := c.queue(ctx, now, gauge); err != nil {
		c.opt.Log.Warn("the queue could not be counted", "err", err)
		up = 0
	}
	gauge(c.up, up)
}

func (c *storeCollector) queue(ctx context.Context, now time.Time, gauge func(*prometheus.Desc, float64, ...string)) error {
	stats, counted, err := c.count.get(ctx, c.opt)
	if err != nil {
		return err
	}
	gauge(c.age, max(0, now.Sub(counted).Seconds()))
	for _, s := range store.States() {
		gauge(c.deliveries, float64(stats.States[s]), s.String())
	}
	oldest := 0.0
	if !stats.OldestDue.IsZero() && now.After(stats.OldestDue) {
		oldest = now.Sub(stats.OldestDue).Seconds()
	}
	gauge(c.oldest, oldest)
	gauge(c.lanes, float64(stats.Lanes))
	gauge(c.paused, float64(stats.Paused))
	gauge(c.bodies, float64(stats.BodyBytes))
	closed, err := c.opt.Connections.Closed(ctx)
	if err != nil {
		return err
	}
	gauge(c.closed, float64(closed))
	last, err := c.opt.Store.LastEvent(ctx)
	if err != nil {
		return err
	}
	gauge(c.events, float64(last))
	lanes, err := c.opt.Store.Lanes(ctx, "", 1000)
	if err != nil {
		return err
	}
	shown := 0
	for _, l := range lanes {
		if l.Queued > 0 && shown < 100 {
			shown++
			gauge(c.depth, float64(l.Queued), l.Key)
		}
	}
	states, err := c.opt.Store.ConnectionStates(ctx)
	if err != nil {
		return err
	}
	for _, st := range states {
		conn, err := c.opt.Connections.ByID(ctx, st.Connection)
		if err != nil {
			continue // of a connection that was deleted
		}
		v := 0.0
		if st.PausedUntil.After(now) {
			v = 1
		}
		gauge(c.pausedConnections, v, conn.Name)
	}
	return nil
}

func (m *metrics) routes(rt *router) {
	o := op("metrics", http.MethodGet, "/metrics", "server", ScopeAdmin, "Measures for Prometheus", "From the machine itself no key is needed, unless a proxy passed the request on; then the figures of single mailboxes and connections are left out.")
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}}}}
	rt.raw(localToo(o), func(w http.ResponseWriter, r *http.Request) error {
		if caller(r.Context()).admin() {
			m.handler.ServeHTTP(w, r)
		} else {
			m.unnamed.ServeHTTP(w, r)
		}
		return nil
	})
}
