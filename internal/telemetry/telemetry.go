// Package telemetry traces what becomes of a message: its submission, each
// attempt to send it and the call of the provider, as spans of OpenTelemetry.
// They go to a collector by OTLP/HTTP in JSON. It is set up by the OTEL_*
// variables alone, and without them costs nothing: a nil *Tracer and a nil *Span
// do nothing.
//
// Attributes are ids, codes and sizes. No address, subject, secret, name that a
// person chose or text of a provider is put into one.
package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options of a Tracer.
type Options struct {
	Getenv  func(string) string
	Roots   *x509.CertPool // trusted for the collector; nil: the system's
	Version string         // of the program
	Node    string         // name of this one
	Log     *slog.Logger
}

// A Tracer makes spans and hands them to the collector. Safe for concurrent use.
type Tracer struct {
	conf    settings
	log     *slog.Logger
	ended   chan *Span
	dropped atomic.Int64 // ended while the collector took too long
	stop    chan struct{}
	cancel  context.CancelFunc // of what is asked of the collector
	close   sync.Once
	done    sync.WaitGroup
}

// New returns the tracer that the environment asks for; nil: it asks for none.
// An error means that the environment cannot be followed: nothing is traced.
func New(o Options) (*Tracer, error) {
	conf, err := read(o)
	if conf == nil || err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tracer{conf: *conf, log: o.Log, ended: make(chan *Span, queueSize), stop: make(chan struct{}), cancel: cancel}
	t.done.Go(func() { t.export(ctx) })
	return t, nil
}

// Close hands over what has ended so far, which takes a few seconds at most.
func (t *Tracer) Close() {
	if t != nil {
		t.close.Do(func() { close(t.stop) })
		last := time.AfterFunc(lastTry, t.cancel) // a request that is under way too
		t.done.Wait()
		last.Stop()
		t.cancel()
	}
}

// Received returns the context of a request, which may name a span of its caller
// in traceparent (W3C Trace Context): what is started there is its child.
func (t *Tracer) Received(ctx context.Context, h http.Header) context.Context {
	if t == nil {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h))
}

// A Kind is a span's part in a conversation, by its number in OTLP.
type Kind int

// The kinds.
const (
	Server   Kind = 2 // answers a request
	Client   Kind = 3 // calls another service
	Consumer Kind = 5 // works off what was queued
)

// A Span is one piece of work. One goroutine writes to it, until End.
type Span struct {
	of         *Tracer
	name       string
	kind       Kind
	self       trace.SpanContext
	parent     trace.SpanContext
	link       trace.SpanContext
	start, end time.Time
	attributes []attribute
	failed     string
}

// Start begins a span under that of a received request, or a new trace.
func (t *Tracer) Start(ctx context.Context, name string, kind Kind) *Span {
	if t == nil {
		return nil
	}
	return t.under(trace.SpanContextFromContext(ctx), name, kind)
}

// The fields of W3C Trace Context: the one that names a span, and the one that holds
// what tracing systems of the caller noted of the trace.
const (
	traceparent  = "traceparent"
	tracestate   = "tracestate"
	longestState = 512 // of tracestate, as much as must be kept (Trace Context, "tracestate Limits"): it stays with each message
)

// Continue begins a span under one that has ended, from its Traceparent: it may be
// of another process, and days old. It names that one as a link too, since the
// work was queued between the two.
func (t *Tracer) Continue(parent, name string, kind Kind) *Span {
	if t == nil {
		return nil
	}
	id, state, _ := strings.Cut(parent, " ")
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceparent: id, tracestate: state})
	s := t.under(trace.SpanContextFromContext(ctx), name, kind)
	s.link = s.parent
	return s
}

// Child begins a span of what is done for s.
func (s *Span) Child(name string, kind Kind) *Span {
	if s == nil {
		return nil
	}
	return s.of.under(s.self, name, kind)
}

func (t *Tracer) under(parent trace.SpanContext, name string, kind Kind) *Span {
	s := &Span{of: t, name: name, kind: kind, parent: parent, start: time.Now()}
	var random [24]byte
	rand.Read(random[:]) // it never fails
	id := trace.SpanContextConfig{TraceID: trace.TraceID(random[:16]), SpanID: trace.SpanID(random[16:])}
	if parent.IsValid() {
		id.TraceID = parent.TraceID()
		if len(parent.TraceState().String()) <= longestState {
			id.TraceState = parent.TraceState()
		}
	}
	if t.conf.sampler.samples(id.TraceID, parent) {
		id.TraceFlags = trace.FlagsSampled
	}
	s.self = trace.NewSpanContext(id)
	return s
}

// Traceparent returns the span as traceparent, and after a space its tracestate if it
// has one, for Continue; empty without tracing.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	to := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), s.self), to)
	return strings.TrimSpace(to.Get(traceparent) + " " + to.Get(tracestate))
}

// kept reports a span that goes to the collector.
func (s *Span) kept() bool { return s != nil && s.self.IsSampled() }

// String sets an attribute, unless it is empty.
func (s *Span) String(key, value string) {
	if s.kept() && value != "" {
		s.attributes = append(s.attributes, text(key, value))
	}
}

// Int sets an attribute.
func (s *Span) Int(key string, value int64) {
	if s.kept() {
		s.attributes = append(s.attributes, number(key, value))
	}
}

// Fail marks the span as failed, with a stable code: never a text, which may hold
// an address.
func (s *Span) Fail(code string) {
	if s != nil {
		s.failed = code
		s.String("error.type", code)
	}
}

// End ends the span. When the collector is slow and the queue is full it is dropped.
func (s *Span) End() {
	if !s.kept() {
		return
	}
	s.end = time.Now()
	select {
	case s.of.ended <- s:
	default:
		s.of.dropped.Add(1)
	}
}

// A sampler chooses the traces that are kept, as OTEL_TRACES_SAMPLER names it.
type sampler struct {
	byParent bool
	ratio    float64
}

// samples decides for a span. Of a ratio, all nodes choose the same traces.
func (s sampler) samples(id trace.TraceID, parent trace.SpanContext) bool {
	if s.byParent && parent.IsValid() {
		return parent.IsSampled()
	}
	return s.ratio >= 1 || float64(binary.BigEndian.Uint64(id[8:])>>1) < s.ratio*(1<<63)
}

func samplers() []string {
	return []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}
}
