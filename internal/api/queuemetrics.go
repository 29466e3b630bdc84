package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
)

// A storeCollector reads the queue when it is asked.
type storeCollector struct {
	store       store.Store
	connections *registry.Connections
	now         func() time.Time
	log         *slog.Logger
	count       queueCount

	deliveries, oldest, age, lanes, paused, depth, closed, pausedConnections, bodies, events, up *prometheus.Desc
}

// A queueCount keeps the figures of the queue for a hundred times as long as
// counting them took, so that a long queue that is asked for often costs no
// more than a hundredth of a core. While a count takes longer than who asks may
// wait, the earlier figures are returned.
type queueCount struct {
	store store.Admin
	now   func() time.Time

	mu       sync.Mutex
	stats    store.Stats
	at, next time.Time     // when counted, and when to count again
	err      error         // of the last count
	running  chan struct{} // closed when the count under way ends; nil: none is
}

// longestCount bounds one count.
const longestCount = time.Minute

func (c *queueCount) get(ctx context.Context) (store.Stats, time.Time, error) {
	if running := c.begin(); running != nil {
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

// begin starts a count when it is time, and returns the one under way.
func (c *queueCount) begin() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := c.now()
	if c.running != nil || begin.Before(c.next) && !begin.Before(c.at) {
		return c.running
	}
	c.running = make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), longestCount)
		defer cancel()
		stats, err := c.store.Stats(ctx, begin)
		end := c.now()
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
	return &storeCollector{
		store: o.Store, connections: o.Connections, now: o.Now, log: o.Log,
		count:      queueCount{store: o.Store, now: o.Now},
		deliveries: d("queue_deliveries", "Deliveries in each state.", "state"),
		oldest:     d("queue_oldest_due_age_seconds", "How long the due delivery that waits longest has waited."),
		age: d("queue_count_age_seconds", "How old the figures of the queue are: "+
			"they are counted again when they are a hundred times as old as counting takes."),
		lanes:  d("lanes", "Lanes: mailboxes that share limits."),
		paused: d("lanes_paused", "Lanes that are paused now."),
		depth:  d("lane_queued", "Deliveries that wait, of the first 100 lanes that have any.", "lane"),
		closed: d("connections_closed_secrets",
			"Connections with a secret that this node's key does not open: nothing is sent through them."),
		pausedConnections: d("connection_paused", "1 for a connection that is paused now.", "connection"),
		bodies:            d("stored_bytes", "Bytes of messages that are kept."),
		events:            d("events_last_seq", "Number of the last event."),
		up:                d("store_up", "1 when the store answered."),
	}
}

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.deliveries, c.oldest, c.age, c.lanes, c.paused, c.depth, c.closed, c.pausedConnections, c.bodies, c.events, c.up,
	} {
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
	now := c.now()
	up := 1.0
	if err := c.queue(ctx, now, gauge); err != nil {
		c.log.Warn("the queue could not be counted", "err", err)
		up = 0
	}
	gauge(c.up, up)
}

func (c *storeCollector) queue(ctx context.Context, now time.Time, gauge func(*prometheus.Desc, float64, ...string)) error {
	stats, counted, err := c.count.get(ctx)
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
	closed, err := c.connections.Closed(ctx)
	if err != nil {
		return err
	}
	gauge(c.closed, float64(closed))
	last, err := c.store.LastEvent(ctx)
	if err != nil {
		return err
	}
	gauge(c.events, float64(last))
	lanes, err := c.store.Lanes(ctx, "", 1000)
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
	states, err := c.store.ConnectionStates(ctx)
	if err != nil {
		return err
	}
	for _, st := range states {
		conn, err := c.connections.ByID(ctx, st.Connection)
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
