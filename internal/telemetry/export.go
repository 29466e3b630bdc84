package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	queueSize = 2048 // spans that wait for the collector
	batchSize = 512  // of one request
	tries     = 4    // of one batch, after 1, 2 and 4 s
	lastTry   = 3 * time.Second
)

// export hands ended spans over in batches, until Close.
func (t *Tracer) export(ctx context.Context) {
	stopped := false
	tick := time.NewTicker(t.conf.pause)
	defer tick.Stop()
	batch := make([]*Span, 0, batchSize)
	failing := false
	flush := func() {
		if len(batch) == 0 {
			return
		}
		err := t.deliver(ctx, batch, stopped)
		switch {
		case err != nil && !failing:
			t.log.Warn("traces do not reach their collector; mail is not concerned", "err", err, "lost", len(batch))
		case err == nil && failing:
			t.log.Info("traces reach their collector again", "lost", t.dropped.Swap(0))
		}
		if err != nil {
			t.dropped.Add(int64(len(batch)))
		}
		failing = err != nil
		clear(batch)
		batch = batch[:0]
	}
	add := func(s *Span) {
		if batch = append(batch, s); len(batch) == batchSize {
			flush()
		}
	}
	for {
		select {
		case s := <-t.ended:
			add(s)
		case <-tick.C:
			flush()
		case <-t.stop:
			stopped = true
			for len(t.ended) > 0 { // no one else receives from it
				add(<-t.ended)
			}
			flush()
			t.conf.client.CloseIdleConnections()
			return
		}
	}
}

// deliver sends a batch, and again where the collector may take it later.
func (t *Tracer) deliver(ctx context.Context, batch []*Span, last bool) error {
	body, err := t.encode(batch)
	if err != nil {
		return err
	}
	for wait := time.Second; ; wait *= 2 {
		again, err := t.post(ctx, body)
		if err == nil || !again || last || wait == 1<<(tries-1)*time.Second {
			return err
		}
		select {
		case <-time.After(wait):
		case <-t.stop:
			last = true
		}
	}
}

func (t *Tracer) encode(batch []*Span) ([]byte, error) {
	var b bytes.Buffer
	out := io.Writer(&b)
	var z *gzip.Writer
	if t.conf.gzip {
		z = gzip.NewWriter(&b)
		out = z
	}
	if err := json.NewEncoder(out).Encode(t.request(batch)); err != nil {
		return nil, err
	}
	if z != nil {
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// post reports whether the same request may be taken later (OTLP specification,
// "OTLP/HTTP Response"). Errors do not hold the address: it may hold a key.
func (t *Tracer) post(ctx context.Context, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.conf.url, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the collector's address cannot be called")
	}
	req.Header = t.conf.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	if t.conf.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := t.conf.client.Do(req)
	if err != nil {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return true, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	switch {
	case res.StatusCode == http.StatusOK && err == nil:
		var partial struct {
			PartialSuccess struct{ RejectedSpans json.Number }
		}
		if json.Unmarshal(answer, &partial) == nil && strings.Trim(partial.PartialSuccess.RejectedSpans.String(), "0") != "" {
			return false, fmt.Errorf("the collector refused %s spans", partial.PartialSuccess.RejectedSpans)
		}
		return false, nil
	case res.StatusCode == http.StatusOK:
		return true, err
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("the collector answered with status %d", res.StatusCode)
}

// The JSON of ExportTraceServiceRequest (opentelemetry-proto, collector/trace/v1):
// ids in hexadecimal, 64-bit numbers as strings.

type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type value struct {
	String *string `json:"stringValue,omitempty"`
	Int    *int64  `json:"intValue,omitempty,string"`
}

func text(key, s string) attribute { return attribute{key, value{String: &s}} }

func number(key string, n int64) attribute { return attribute{key, value{Int: &n}} }

type spanData struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	State      string      `json:"traceState,omitempty"`
	Parent     string      `json:"parentSpanId,omitempty"`
	Flags      uint32      `json:"flags"`
	Name       string      `json:"name"`
	Kind       Kind        `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes,omitempty"`
	Links      []linkData  `json:"links,omitempty"`
	Status     *statusData `json:"status,omitempty"`
}

type linkData struct {
	TraceID string `json:"traceId"`
	SpanID  string `json:"spanId"`
	State   string `json:"traceState,omitempty"`
}

type statusData struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code"`
}

const statusError = 2

func (t *Tracer) request(batch []*Span) any {
	spans := make([]spanData, len(batch))
	for i, s := range batch {
		d := &spans[i]
		*d = spanData{TraceID: s.self.TraceID().String(), SpanID: s.self.SpanID().String(), State: s.self.TraceState().String(),
			Flags: uint32(s.self.TraceFlags()), Name: s.name, Kind: s.kind, Start: nanos(s.start), End: nanos(s.end), Attributes: s.attributes}
		if s.parent.IsValid() {
			d.Parent = s.parent.SpanID().String()
		}
		if s.link.IsValid() {
			d.Links = []linkData{{s.link.TraceID().String(), s.link.SpanID().String(), s.link.TraceState().String()}}
		}
		if s.failed != "" {
			d.Status = &statusData{s.failed, statusError}
		}
	}
	type scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	type scopeSpans struct {
		Scope scope      `json:"scope"`
		Spans []spanData `json:"spans"`
	}
	type resource struct {
		Attributes []attribute `json:"attributes"`
	}
	type resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	return struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}{[]resourceSpans{{resource{t.conf.resource}, []scopeSpans{{scope{"github.com/postino-mail/postino", t.conf.version}, spans}}}}}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
