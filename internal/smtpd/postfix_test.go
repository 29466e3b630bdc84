package smtpd_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPostfixRelays: a Postfix that has postino as its relayhost hands over
// text, HTML, accents, a hidden recipient and 10 MB, for each route.
func TestPostfixRelays(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("a real Postfix: set POSTINO_PEERS=1")
	}
	g := startGateway(t)
	port := startPostfix(t, g.port)
	for from := range routes(g.sandbox) {
		t.Run(strings.TrimSuffix(from, "@contoso.example"), func(t *testing.T) {
			seen := len(g.sandbox.Deliveries())
			c := exec.CommandContext(t.Context(), "swaks", "--server", "127.0.0.1:"+port, "--from", from, "--to", peerTo+","+peerBcc, "--data",
				"@"+g.eml[from], "--suppress-data")
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out[max(0, len(out)-2000):])
			}
			g.arrived(t, seen)
		})
	}
}

// startPostfix starts one that relays to a port, and gives its own.
func startPostfix(t *testing.T, relay string) string {
	t.Helper()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err := errors.Join(err, free.Close()); err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: Postfix runs as another user and must reach it.
	dir, err := os.MkdirTemp("", "postino-relay-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // likewise
		t.Fatal(err)
	}
	script := func(ctx context.Context, action string) {
		c := exec.CommandContext(ctx, filepath.Join("..", "..", "testdata", "peers", "postfix-relay.sh"), action)
		c.Env = append(os.Environ(), "POSTFIX_DIR="+dir, "LISTEN_PORT="+port, "RELAY_PORT="+relay)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("postfix %s: %v: %s", action, err, out)
		}
	}
	t.Cleanup(func() {
		script(context.Background(), "stop")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	script(t.Context(), "start")
	var d net.Dialer
	for end := time.Now().Add(15 * time.Second); ; {
		c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return port
		}
		if time.Now().After(end) {
			t.Fatalf("Postfix does not answer: %v", err)
		}
		<-time.After(100 * time.Millisecond)
	}
}
