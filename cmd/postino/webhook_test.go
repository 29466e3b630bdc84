package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/internal/app"
)

// A hookReceiver answers what it is told and keeps what it got.
type hookReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies [][]byte
	heads  []http.Header
}

func newHookReceiver(t *testing.T) *hookReceiver {
	t.Helper()
	r := &hookReceiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.heads = append(r.bodies, body), append(r.heads, q.Header)
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

// Webhooks by flags: made, tested with a signed event, changed, removed.
func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	r := newHookReceiver(t)
	data, config := t.TempDir(), filepath.Join(t.TempDir(), "postino.toml")
	if err := os.WriteFile(config, []byte("[webhooks]\nnetworks = [\"127.0.0.0/8\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := command(t, "", append(append([]string{"webhook"}, args...), "--data", data)...)
		if code != want {
			t.Fatalf("webhook %s: exit %d: %s%s", strings.Join(args, " "), code, out, errOut)
		}
		return out + errOut
	}
	if out := run(app.ExitUsage, "add", r.URL); !strings.Contains(out, "--config") {
		t.Errorf("a receiver inside: %s", out)
	}
	if out := run(app.ExitUsage, "add"); !strings.Contains(out, "which address") {
		t.Errorf("nothing named: %s", out)
	}
	var made struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(run(0, "add", r.URL, "--config", config, "--type", "delivery.failed", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	verify := func(secret string) {
		t.Helper()
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := wh.Verify(r.bodies[len(r.bodies)-1], r.heads[len(r.heads)-1]); err != nil ||
			!strings.Contains(string(r.bodies[len(r.bodies)-1]), `"webhook.test"`) {
			t.Errorf("not as a real event: %v, %s", err, r.bodies[len(r.bodies)-1])
		}
	}
	if out := run(0, "test", made.ID[:20], "--config", config); !strings.Contains(out, "confirmed with 204") {
		t.Errorf("test: %s", out)
	}
	verify(made.Secret)
	r.mu.Lock()
	r.status = http.StatusInternalServerError
	r.mu.Unlock()
	if out := run(app.ExitFailure, "test", made.ID, "--config", config, "--lang", "it"); !strings.Contains(out, "500") {
		t.Errorf("test: %s", out)
	}
	var rotated struct{ Secret string }
	if err := json.Unmarshal([]byte(run(0, "rotate", made.ID, "--json")), &rotated); err != nil || rotated.Secret == made.Secret {
		t.Errorf("%v, %q", err, rotated.Secret)
	}
	run(app.ExitFailure, "test", made.ID, "--config", config)
	verify(rotated.Secret)
	run(0, "edit", made.ID, "--type", "all", "--pause")
	if out := run(0, "list"); !strings.Contains(out, "not active") || !strings.Contains(out, "all") || strings.Contains(out, "whsec_") {
		t.Errorf("list: %s", out)
	}
	run(app.ExitUsage, "edit", made.ID)
	if out := run(app.ExitUsage, "edit", made.ID, "--type", "delivery.fialed"); !strings.Contains(out, "delivery.failed") {
		t.Errorf("a type that does not exist: %s", out)
	}
	run(app.ExitUsage, "add", r.URL, "--config", config, "--type", "delivery.fialed")
	var all struct {
		ID    string
		Types []string
	}
	if err := json.Unmarshal([]byte(run(0, "add", r.URL, "--config", config, "--type", "all", "--json")),
		&all); err != nil || all.Types != nil {
		t.Errorf("all: %v, %v", err, all.Types)
	}
	run(0, "remove", all.ID)
	run(app.ExitUsage, "edit", made.ID, "--url", "ftp://x")
	if out := run(0, "deliveries", made.ID); !strings.Contains(out, "events that wait: 0") {
		t.Errorf("deliveries: %s", out)
	}
	run(app.ExitUsage, "replay", made.ID)
	run(0, "replay", made.ID, "--since", "2h")
	if out := run(0, "list", "--json"); !strings.Contains(out, `"active": true`) || strings.Contains(out, rotated.Secret) {
		t.Errorf("replayed: %s", out)
	}
	run(app.ExitUsage, "remove", "none")
	run(0, "remove", made.ID)
	_, out, _ := command(t, "", "people", "audit", "--kind", "webhook", "--json", "--data", data)
	if strings.Contains(out, made.Secret) || strings.Count(out, `"action":"removed"`) != 2 {
		t.Errorf("audit: %s", out)
	}
}
