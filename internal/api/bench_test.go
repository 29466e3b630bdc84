package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSubmit hands over messages of 10 KB by JSON over 32 connections,
// each durable before its answer. The figure: -benchtime 10000x.
func BenchmarkSubmit(b *testing.B) {
	w := newWorld(b, nil)
	body, err := json.Marshal(map[string]any{"from": "erp@contoso.it", "to": []string{"anna@example.com"}, "subject": "Fattura",
		"text": strings.Repeat("Gentile cliente, in allegato la fattura.\n", 10<<10/40)})
	w.must(err)
	const connections = 32
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for range connections {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				r, err := http.NewRequest("POST", w.http.URL+"/v1/messages", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+w.key)
				begun := time.Now()
				res, err := client.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					b.Error(err)
				}
				res.Body.Close()
				took[i] = time.Since(begun)
				if res.StatusCode != http.StatusAccepted {
					b.Errorf("status %s", res.Status)
					return
				}
			}
		})
	}
	all.Wait()
	whole := time.Since(start)
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/whole.Seconds(), "msg/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
	if w.messages() != b.N && !b.Failed() {
		b.Errorf("%d of %d stored", w.messages(), b.N)
	}
}
