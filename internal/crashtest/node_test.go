//go:build unix

package crashtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A node is one `postino serve` that is killed and started again on the same
// addresses.
type node struct {
	name, binary, config string
	args, env            []string
	smtp, http           string // addresses of the listeners
	log                  *os.File

	mu   sync.Mutex
	cmd  *exec.Cmd
	exit chan error
}

// build compiles the real command.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "crashnode") // a name of its own, for whoever looks for it with ps
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/postino-mail/postino/cmd/postino")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the server does not build: %v\n%s", err, out)
	}
	return binary
}

// freeAddress is an address that no one listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newNode(t *testing.T, name, binary, config string, args ...string) *node {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{name: name, binary: binary, config: config, smtp: freeAddress(t), http: freeAddress(t), log: log}
	t.Cleanup(func() {
		if n.cmd != nil {
			_ = n.signal(syscall.SIGKILL) // one that has ended already is well
		}
		_ = log.Close()
	})
	n.args = append([]string{"serve", "--config", config, "--smtp", n.smtp, "--http", n.http}, args...)
	return n
}

// start runs the server and returns once its listeners are open.
func (n *node) start() error {
	cmd := exec.Command(n.binary, n.args...)
	cmd.Env = append(append(os.Environ(), "POSTINO_NODE="+n.name), n.env...)
	cmd.Stderr = n.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready := make(chan struct{})
	exit := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for open := false; lines.Scan(); {
			if !open && strings.HasPrefix(lines.Text(), "smtp ") {
				open = true
				close(ready)
			}
		}
		exit <- cmd.Wait()
	}()
	n.mu.Lock()
	n.cmd, n.exit = cmd, exit
	n.mu.Unlock()
	select {
	case <-ready:
		return nil
	case err := <-exit:
		return fmt.Errorf("node %s ended by itself: %w\n%s", n.name, err, n.tail())
	case <-time.After(30 * time.Second):
		return fmt.Errorf("node %s did not open its listeners\n%s", n.name, n.tail())
	}
}

// kill ends the server as a power cut would: nothing is finished.
func (n *node) kill() error {
	if err := n.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-n.exit //nolint:errcheck // killed, as it should be
	return nil
}

// freeze stops the process for a while and lets it go on.
func (n *node) freeze(d time.Duration) error {
	if err := n.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	<-time.After(d)
	return n.signal(syscall.SIGCONT)
}

// stop ends the server as an administrator does.
func (n *node) stop() error {
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-n.exit:
		return err
	case <-time.After(40 * time.Second):
		return fmt.Errorf("node %s does not stop\n%s", n.name, n.tail())
	}
}

func (n *node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd.Process.Signal(s)
}

// tail is the end of the log, for a failure.
func (n *node) tail() string {
	b, err := os.ReadFile(n.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}
