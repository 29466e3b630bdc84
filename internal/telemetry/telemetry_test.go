package telemetry

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A collector answers as one of OTLP/HTTP does and keeps what it is sent.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []spanData
	requests []*http.Request
	answers  []int // of the next requests; then 200
	asked    chan struct{}
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{asked: make(chan struct{}, 10)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests = append(c.requests, r)
		c.asked <- struct{}{}
		if len(c.answers) > 0 {
			code := c.answers[0]
			c.answers = c.answers[1:]
			http.Redirect(w, r, "/elsewhere", code)
			return
		}
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		var in struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []spanData }
			}
		}
		if err := json.NewDecoder(body).Decode(&in); err != nil {
			t.Error(err)
			return
		}
		for _, rs := range in.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
		if _, err := io.WriteString(w, `{"partialSuccess":{}}`); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) tracer(t *testing.T, log io.Writer, env ...string) *Tracer {
	t.Helper()
	all := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/base/"}
	for i := 0; i < len(env); i += 2 {
		all[env[i]] = env[i+1]
	}
	tr, err := New(Options{Getenv: func(n string) string { return all[n] }, Version: "1", Node: "n",
		Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil || tr == nil {
		t.Fatal(tr, err)
	}
	return tr
}

// What is queued with a span is found under it, by another process too.
func TestTree(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := c.tracer(t, t.Output(), "OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	const foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const state = "rojo=00f067 aa0ba,congo=t61rcWkgMzE"
	submit := tr.Start(tr.Received(t.Context(), http.Header{"Traceparent": {foreign}, "Tracestate": {state}}), "submit", Server)
	kept := submit.Traceparent()
	submit.End()
	attempt := tr.Continue(kept, "attempt", Consumer)
	call := attempt.Child("send", Client)
	call.Fail("mailbox_full")
	call.Int("n", 1<<60)
	call.String("empty", "")
	call.End()
	attempt.End()
	alone := tr.Continue("", "attempt", Consumer)
	alone.End()
	tr.Close()
	tr.Close()
	if len(c.spans) != 4 || len(c.requests) != 1 || c.requests[0].URL.Path != "/base/v1/traces" ||
		c.requests[0].Header.Get("Api-Key") != "a b" {
		t.Fatalf("%+v %v", c.spans, c.requests)
	}
	s, p, a, lone := c.spans[0], c.spans[1], c.spans[2], c.spans[3]
	if s.TraceID != "0af7651916cd43dd8448eb211c80319c" || s.Parent != "b7ad6b7169203331" || a.TraceID != s.TraceID || p.TraceID != s.TraceID ||
		a.Parent != s.SpanID || p.Parent != a.SpanID || len(a.Links) != 1 || a.Links[0].SpanID != s.SpanID || s.Flags != 1 {
		t.Errorf("%+v", c.spans)
	}
	if s.State != state || p.State != state || a.State != state || a.Links[0].State != state || lone.State != "" {
		t.Errorf("tracestate: %+v", c.spans)
	}
	if p.Status == nil || p.Status.Code != statusError || len(p.Attributes) != 2 || *p.Attributes[1].Value.Int != 1<<60 || p.Kind != Client {
		t.Errorf("%+v", p)
	}
	if lone.TraceID == s.TraceID || lone.Parent != "" || lone.Links != nil {
		t.Errorf("%+v", lone)
	}
}

// What a caller noted of a trace is kept with each message: no more than must be, and
// nothing that is no tracestate.
func TestTracestateIsBounded(t *testing.T) {
	t.Parallel()
	tr := newCollector(t).tracer(t, t.Output())
	defer tr.Close()
	const id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	longest := "a=" + strings.Repeat("x", 254) + ",b=" + strings.Repeat("y", 253)
	for name, c := range map[string]struct{ state, want string }{
		"longest": {longest, longest}, "too long": {longest + "y", ""},
		"none": {"not a state\x00", ""}, "empty": {"", ""},
	} {
		kept := tr.Start(tr.Received(t.Context(), http.Header{"Traceparent": {id}, "Tracestate": {c.state}}), "submit", Server).Traceparent()
		own, state, _ := strings.Cut(kept, " ")
		if state != c.want || len(own) != len(id) {
			t.Errorf("%s: %q", name, kept)
		}
		again := tr.Continue(kept, "attempt", Consumer)
		if again.self.TraceState().String() != c.want || again.self.TraceID().String() != id[3:35] {
			t.Errorf("%s: continued as %q", name, again.Traceparent())
		}
	}
}

// Off is the default, and costs nothing. Not parallel: allocations are counted.
func TestOff(t *testing.T) {
	for _, env := range []map[string]string{{}, {"OTEL_SERVICE_NAME": "x"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}} {
		tr, err := New(Options{Getenv: func(n string) string { return env[n] }})
		if tr != nil || err != nil {
			t.Errorf("%v: %v %v", env, tr, err)
		}
	}
	var off *Tracer
	ctx, h := t.Context(), http.Header{"Traceparent": {"x"}}
	if n := testing.AllocsPerRun(100, func() {
		s := off.Start(off.Received(ctx, h), "submit", Server)
		s.String("k", "v")
		c := off.Continue(s.Traceparent(), "attempt", Consumer).Child("send", Client)
		c.Int("n", 1)
		c.Fail("x")
		c.End()
		s.End()
		off.Close()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What the environment says wrong is named by its variable, and no secret of it is shown.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, words string }{
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317", "gRPC"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector:4317/v1/traces", "gRPC"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:geheim@ x", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "key=geheim%zz", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "=geheim", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "a=geheim%0d%0ab:c", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "OTEL_EXPORTER_OTLP_TIMEOUT"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/none.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE"},
		{"OTEL_TRACES_EXPORTER", "console", "OTEL_TRACES_EXPORTER"},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote", "OTEL_TRACES_SAMPLER"},
		{"OTEL_RESOURCE_ATTRIBUTES", "=x", "OTEL_RESOURCE_ATTRIBUTES"},
		{"OTEL_BSP_SCHEDULE_DELAY", "0", "OTEL_BSP_SCHEDULE_DELAY"},
	} {
		env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", c.name: c.value}
		tr, err := New(Options{Getenv: func(n string) string { return env[n] }})
		if err == nil || tr != nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
	for _, c := range []struct{ name, arg string }{{"traceidratio", "1.5"}, {"traceidratio", "NaN"}, {"parentbased_traceidratio", "-1"}} {
		if _, err := samplerOf(c.name, c.arg); err == nil {
			t.Error(c)
		}
	}
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
	if _, err := read(Options{Getenv: func(n string) string { return env[n] }}); err != nil { // said to be HTTP
		t.Error(err)
	}
	got, err := resource("service.name=a,deployment.environment=prod%2C1", "b", Options{Version: "1", Node: "n"})
	var list []string
	for _, a := range got {
		list = append(list, a.Key+"="+*a.Value.String)
	}
	if s := strings.Join(list, " "); err != nil ||
		s != "service.name=b service.version=1 service.instance.id=n deployment.environment=prod,1" {
		t.Error(s, err)
	}
}

// The caller's choice holds with the default; what is not kept is not kept later either.
func TestSampling(t *testing.T) {
	t.Parallel()
	const id = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for _, c := range []struct {
		sampler, arg, parent string
		want                 int
	}{
		{"", "", "", 2}, {"", "", "00" + id + "01", 2}, {"", "", "00" + id + "00", 0}, {"", "", "00" + id + "0g", 2},
		{"always_off", "", "00" + id + "01", 0}, {"always_on", "", "00" + id + "00", 2}, {"parentbased_always_off", "", "", 0},
		{"parentbased_always_off", "", "00" + id + "01", 2}, {"traceidratio", "0", "", 0}, {"traceidratio", "1", "", 2},
		{"traceidratio", "", "", 2},
		{"traceidratio", "0.51", "00" + id + "00", 0}, {"traceidratio", "0.52", "00" + id + "00", 2}, // 0.517
	} {
		col := newCollector(t)
		tr := col.tracer(t, t.Output(), "OTEL_TRACES_SAMPLER", c.sampler, "OTEL_TRACES_SAMPLER_ARG", c.arg)
		s := tr.Start(tr.Received(t.Context(), http.Header{"Traceparent": {c.parent}}), "submit", Server)
		s.End()
		tr.Continue(s.Traceparent(), "attempt", Consumer).End()
		tr.Close()
		if len(col.spans) != c.want {
			t.Errorf("%+v: %d spans", c, len(col.spans))
		}
	}
}

// A collector that cannot take a batch now is asked again; one that refuses is not, nor is
// its redirect followed, which would carry the key elsewhere. The log has no key either.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ status, requests, spans int }{{503, 2, 1}, {429, 2, 1}, {400, 1, 0}, {307, 1, 0}} {
		col := newCollector(t)
		col.answers = []int{c.status}
		var log bytes.Buffer
		tr := col.tracer(t, &log, "OTEL_EXPORTER_OTLP_HEADERS", "api-key=geheim", "OTEL_BSP_SCHEDULE_DELAY", "1")
		tr.Start(t.Context(), "submit", Server).End()
		for range c.requests { // the second one comes after a second
			<-col.asked
		}
		tr.Close()
		if len(col.requests) != c.requests || len(col.spans) != c.spans ||
			(log.Len() == 0) != (c.spans == 1) || strings.Contains(log.String(), "geheim") {
			t.Errorf("%d: %d requests, %d spans, %s", c.status, len(col.requests), len(col.spans), &log)
		}
	}
}

// A collector that hangs keeps no one waiting: what does not fit is dropped.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer srv.Close()
	defer close(hang)
	col := &collector{Server: srv}
	tr := col.tracer(t, io.Discard, "OTEL_EXPORTER_OTLP_TIMEOUT", "50")
	for range 2*queueSize + 2*batchSize {
		tr.Start(t.Context(), "submit", Server).End()
	}
	tr.Close()
	if tr.dropped.Load() == 0 {
		t.Error("nothing was dropped")
	}
}

// The end waits for a collector that hangs as long as it says, and not for the answer.
func TestCloseWhileAsking(t *testing.T) {
	t.Parallel()
	hang, asked := make(chan struct{}), make(chan struct{}, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-hang }))
	defer srv.Close()
	defer close(hang)
	col := &collector{Server: srv}
	tr := col.tracer(t, io.Discard, "OTEL_EXPORTER_OTLP_TIMEOUT", "3600000", "OTEL_BSP_SCHEDULE_DELAY", "1")
	tr.Start(t.Context(), "submit", Server).End()
	<-asked
	closed := make(chan struct{})
	go func() { tr.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * lastTry):
		t.Error("it waits for the collector")
	}
}
