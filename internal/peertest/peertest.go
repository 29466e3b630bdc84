// Package peertest starts the real mail servers of testdata/peers for tests.
package peertest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/pause"
)

// A Peer is a real server, started by a script of testdata/peers.
type Peer struct {
	Dir       string // of its own, removed with the test
	Port, TLS int    // for STARTTLS, and for TLS from the first byte

	env    []string
	script string
}

// New prepares a server: it skips without POSTINO_PEERS. root is the way to the
// folder of the sources, dirVar the variable in which the script takes Dir.
func New(t *testing.T, root, script, dirVar string) *Peer {
	t.Helper()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("real servers are started with POSTINO_PEERS=1 only (root and Debian packages needed, see testdata/peers)")
	}
	dir, err := os.MkdirTemp("", "peer") // short: socket paths are bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ports := FreePorts(t, 3)
	p := &Peer{Dir: dir, Port: ports[0], TLS: ports[1], script: filepath.Join(root, "testdata", "peers", script)}
	p.env = append(os.Environ(), dirVar+"="+dir, fmt.Sprint("SUBMISSION_PORT=", ports[0]), fmt.Sprint("TLS_PORT=", ports[1]),
		fmt.Sprint("SINK_PORT=", ports[2]))
	return p
}

// FreePorts are n ports of 127.0.0.1 that no one listens at.
func FreePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = ln.Addr().(*net.TCPAddr).Port
		defer func() { _ = ln.Close() }() // free again when the script runs
	}
	return ports
}

// Run runs the script, and returns what it prints.
func (p *Peer) Run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.script, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", p.script, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Start starts the server, waits until it greets, and ends it with the test.
func (p *Peer) Start(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { p.Run(t, "stop") })
	p.Run(t, "start")
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := p.greets(t.Context())
		if err == nil {
			return
		}
		if time.Now().After(deadline) || pause.For(t.Context(), 50*time.Millisecond) != nil {
			t.Fatalf("%s does not greet: %v", p.script, err)
		}
	}
}

func (p *Peer) greets(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "220") {
		err = fmt.Errorf("it says %q", line)
	}
	return err
}
