package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox"
)

// A message that came by HTTP with a traceparent is traced from its submission over the
// attempt to the call of the provider, which hears nothing of it; no address, subject or
// secret is among what the collector gets.
func TestTraces(t *testing.T) {
	t.Parallel()
	const trace = "0af7651916cd43dd8448eb211c80319c"
	type span struct{ TraceID, SpanID, ParentSpanID, Name string }
	spans, bodies := make(chan span, 100), make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var in struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		if err := json.Unmarshal(body, &in); err != nil || len(in.ResourceSpans) != 1 {
			t.Errorf("%v %s", err, body)
			return
		}
		bodies <- string(body)
		for _, s := range in.ResourceSpans[0].ScopeSpans[0].Spans {
			spans <- s
		}
	}))
	defer collector.Close()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_BSP_SCHEDULE_DELAY": "50"}
	ready, ended := make(chan Addresses, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	go func() {
		ended <- Serve(ctx, ServeOptions{Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", SMTP: []string{"127.0.0.1:0"},
			CAFile: sb.CAFile(), Stderr: t.Output(), Getenv: func(n string) string { return env[n] }, Ready: func(a Addresses) { ready <- a }})
	}()
	var at Addresses
	select {
	case at = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", at.Socket)
	}}}
	defer client.CloseIdleConnections()
	post := func(path string, body any, header ...string) {
		t.Helper()
		doc, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost"+path, bytes.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode >= 300 {
			answer, err := io.ReadAll(res.Body)
			t.Fatalf("%s: %d %s %v", path, res.StatusCode, answer, err)
		}
	}
	conn, err := sandbox.ConnectionJSON(sb.GraphConnection("erp@contoso.example"))
	if err != nil {
		t.Fatal(err)
	}
	post("/v1/connections", json.RawMessage(conn))
	post("/v1/messages", map[string]any{"from": "erp@contoso.example", "to": []string{"anna@example.com"},
		"subject": "Geheimnis", "text": "x"},
		"traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	byName := map[string]span{}
	for len(byName) < 3 {
		select {
		case s := <-spans:
			byName[s.Name] = s
		case <-time.After(30 * time.Second):
			t.Fatalf("only %+v", byName)
		}
	}
	submit, attempt, send := byName["submit"], byName["attempt"], byName["send"]
	if submit.ParentSpanID != "b7ad6b7169203331" || attempt.ParentSpanID != submit.SpanID || send.ParentSpanID != attempt.SpanID ||
		submit.TraceID != trace || attempt.TraceID != trace || send.TraceID != trace {
		t.Errorf("%+v", byName)
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(bodies)
	for body := range bodies {
		for _, word := range []string{"@", "contoso", "anna", "Geheimnis", sandbox.ClientSecret} {
			if strings.Contains(body, word) {
				t.Errorf("the collector got %q: %s", word, body)
			}
		}
	}
}
