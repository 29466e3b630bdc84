package sandbox

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// benchmarkSendMail sends messages of size bytes from concurrent clients, each
// with a mailbox of its own. The client's work is in the figures.
func benchmarkSendMail(b *testing.B, size int) {
	s := start(b, Options{AnyMailbox: true})
	s.Configure(func(sw *Switches) { sw.GraphConcurrency = 0 })
	tk := "Bearer " + token(b, s, GraphResource)
	head := sample("")
	body := []byte(base64.StdEncoding.EncodeToString([]byte(head + strings.Repeat(strings.Repeat("x", 74)+"\r\n", (size-len(head))/76))))
	b.SetBytes(int64(size))
	b.SetParallelism(5)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest("POST", s.graph.URL()+"/v1.0/users/"+box+"/sendMail", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Authorization", tk)
			req.Header.Set("Content-Type", "text/plain")
			res, err := s.HTTPClient().Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body) // empty
			res.Body.Close()
			if res.StatusCode != http.StatusAccepted {
				b.Errorf("status %d", res.StatusCode)
				return
			}
		}
	})
	b.StopTimer()
	if n := len(s.Deliveries()); n != b.N {
		b.Errorf("%d deliveries of %d", n, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkSendMail(b *testing.B) {
	for _, size := range []int{10 << 10, 3_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkSendMail(b, size) })
	}
}

// BenchmarkDeliveries lists 10,000 deliveries over the control.
func BenchmarkDeliveries(b *testing.B) {
	s := start(b, Options{AnyMailbox: true})
	for range 10_000 {
		m, err := s.core.Receive(strings.NewReader(sample("")))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.core.Deliver(Delivery{Service: "graph", Mailbox: box, Recipients: []string{"anna@example.com"}}, m,
			core.Edits{}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		res, err := http.Get(s.ControlURL() + "/deliveries")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
		res.Body.Close()
	}
}
