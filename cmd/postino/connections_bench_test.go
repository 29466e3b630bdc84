package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/postgres"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/vault"
)

// BenchmarkManyConnections is what an administrator of 20,000 connections waits
// for at the API of a running server. The goal: p95 under 100 ms each, on both
// stores. POSTINO_BENCH_CONNECTIONS is another number of them: to make them takes
// minutes on a slow disk.
//
//	go test ./cmd/postino -run xxx -bench ManyConnections -benchtime 100x
func BenchmarkManyConnections(b *testing.B) {
	many := 20000
	if n, err := strconv.Atoi(os.Getenv("POSTINO_BENCH_CONNECTIONS")); err == nil {
		many = n
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			dir, database := filepath.Join(b.TempDir(), "data"), ""
			if engine == "postgres" {
				database = schema(b)
			}
			seedConnections(b, dir, database, many)
			c := serveConnections(b, dir, database)
			edit := func(b *testing.B, i int) {
				c.do(b, http.MethodPatch, "/v1/connections/"+url.PathEscape(seeded(i*7%many)), fmt.Sprintf(`{"display_name": "Firma %d"}`, i))
			}
			for _, w := range []struct {
				name string
				call func(b *testing.B, i int)
			}{
				{"first page", func(b *testing.B, _ int) { c.do(b, http.MethodGet, "/v1/connections", "") }},
				{"page in the middle", func(b *testing.B, i int) {
					c.do(b, http.MethodGet, "/v1/connections?after="+seeded((many/2+i*100)%many), "")
				}},
				{"largest page", func(b *testing.B, i int) {
					c.do(b, http.MethodGet, "/v1/connections?limit=1000&after="+seeded(i%many), "")
				}},
				{"search by address", func(b *testing.B, i int) {
					c.do(b, http.MethodGet, fmt.Sprintf("/v1/connections?search=erp%d@", i*13%many), "")
				}},
				{"search without result", func(b *testing.B, _ int) { c.do(b, http.MethodGet, "/v1/connections?search=unknown", "") }},
				{"by state", func(b *testing.B, _ int) { c.do(b, http.MethodGet, "/v1/connections?state=off", "") }},
				{"one", func(b *testing.B, i int) { c.do(b, http.MethodGet, "/v1/connections/"+seeded(i*11%many), "") }},
				{"edit", edit},
			} {
				b.Run(w.name, func(b *testing.B) {
					took := make([]time.Duration, 0, b.N)
					for i := range b.N {
						begin := time.Now()
						w.call(b, i)
						took = append(took, time.Since(begin))
					}
					reportMilliseconds(b, took)
				})
			}
			b.Run("first page after an edit", func(b *testing.B) {
				took := make([]time.Duration, 0, b.N)
				for i := range b.N {
					edit(b, i)
					begin := time.Now()
					c.do(b, http.MethodGet, "/v1/connections", "")
					took = append(took, time.Since(begin))
				}
				reportMilliseconds(b, took)
			})
			if engine == "postgres" {
				b.Run("until another node has an edit", func(b *testing.B) { benchOtherNode(b, c, dir, database, many) })
			}
		})
	}
}

// benchOtherNode measures how long after the answer to an edit another node of the same
// database answers with it. The goal: 200 ms.
func benchOtherNode(b *testing.B, c *socketCaller, dir, database string, many int) {
	otherDir := filepath.Join(b.TempDir(), "data")
	key, err := os.ReadFile(filepath.Join(dir, vault.FileName))
	if err = errors.Join(err, os.MkdirAll(otherDir, 0o700), os.WriteFile(filepath.Join(otherDir, vault.FileName), key, 0o600)); err != nil {
		b.Fatal(err)
	}
	other := serveConnections(b, otherDir, database)
	took := make([]time.Duration, 0, b.N)
	for i := range b.N {
		path, name := "/v1/connections/"+seeded(i*7%many), fmt.Sprintf("Filiale %d", i)
		c.do(b, http.MethodPatch, path, fmt.Sprintf(`{"display_name": %q}`, name))
		for begin := time.Now(); ; {
			if bytes.Contains(other.do(b, http.MethodGet, path, ""), []byte(name)) {
				took = append(took, time.Since(begin))
				break
			}
		}
	}
	reportMilliseconds(b, took)
}

func reportMilliseconds(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(part int) float64 { return took[(len(took)-1)*part/100].Seconds() * 1000 }
	b.ReportMetric(at(50), "ms-p50")
	b.ReportMetric(at(95), "ms-p95")
	b.ReportMetric(at(100), "ms-max")
}

// seeded is the name of a connection, in the order of the list.
func seeded(i int) string { return fmt.Sprintf("conn-%06d", i) }

// seedConnections fills a store without a running server.
func seedConnections(b *testing.B, dir, database string, n int) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	keys, err := vault.Open(dir, func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	var st interface {
		store.Store
		io.Closer
	}
	if database != "" {
		st, err = postgres.Open(b.Context(), postgres.Options{URL: database, Dir: filepath.Join(dir, "spool"), Sealer: keys})
	} else {
		st, err = sqlite.Open(b.Context(), sqlite.Options{Dir: dir, Server: true, Sealer: keys})
	}
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	next := make(chan int)
	for range 64 { // which share commits
		all.Go(func() {
			for i := range next {
				off := i%50 == 0
				c := &gateway.Connection{Connection: adapters.Connection{Name: seeded(i), Provider: adapters.SMTP,
					From:     fmt.Sprintf("erp%d@kunde%d.it", i, i%5000),
					Settings: &fallback.Settings{Host: fmt.Sprintf("smtp%d.example.com", i%300), Login: fmt.Sprint("erp", i), Password: "geheim"}}}
				if off {
					no := false
					c.Active = &no
				}
				if _, err := st.PutConnection(b.Context(), time.Now(), c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
}

// A socketCaller speaks to a server by its unix socket.
type socketCaller struct{ http.Client }

func (c *socketCaller) do(b *testing.B, method, path, body string) []byte {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	res, err := c.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	out, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("%s %s: %s %.300s %v", method, path, res.Status, out, err)
	}
	return out
}

func serveConnections(b *testing.B, dir, database string) *socketCaller {
	b.Helper()
	config := filepath.Join(b.TempDir(), "postino.toml")
	if err := os.WriteFile(config, []byte("[[smtp]]\naddress = \"127.0.0.1:0\"\n[http]\naddress = \"127.0.0.1:0\"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ready, ended := make(chan app.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- app.Serve(ctx, app.ServeOptions{ConfigFile: config, Data: dir, Database: database, Stderr: io.Discard,
			Getenv: func(string) string { return "" }, Ready: func(a app.Addresses) { ready <- a }})
	}()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			b.Errorf("the server ended badly: %v", err)
		}
	})
	var at app.Addresses
	select {
	case at = <-ready:
	case err := <-ended:
		ended <- err
		b.Fatalf("the server does not start: %v", err)
	}
	return &socketCaller{http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", at.Socket)
	}}}}
}
