package app

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
		})
	}
	good, bad := httptest.NewServer(answer(http.StatusOK)), httptest.NewServer(answer(http.StatusServiceUnavailable))
	t.Cleanup(good.Close)
	t.Cleanup(bad.Close)
	dir := t.TempDir()
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "http.sock"))
	if err != nil {
		t.Fatal(err)
	}
	socket := &http.Server{Handler: answer(http.StatusOK), ReadHeaderTimeout: time.Minute}
	go func() { _ = socket.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = socket.Close() })
	for name, c := range map[string]struct {
		data, url string
		code      int
	}{
		"socket":    {dir, "", ExitOK},
		"url":       {"", good.URL + "/readyz", ExitOK},
		"not ready": {"", bad.URL + "/readyz", ExitTempFail},
		"no server": {t.TempDir(), "", ExitUnavailable},
		"no url":    {"", "://", ExitUsage},
	} {
		if code := ExitCode(Health(t.Context(), c.data, c.url)); code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
	}
}
