package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/adaptertest"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

const (
	memoryRole  = "POSTINO_MEMORY_ROLE" // of a process of the benchmark
	memoryFrom  = "erp@contoso.example"
	memorySends = 8
	memoryGoal  = 128 << 10 // KB, budget of the design
)

// A memoryPlan is what the sandbox's process tells the senders'.
type memoryPlan struct {
	CAFile      string
	Connections map[adapters.Provider]json.RawMessage
}

// TestMemory prints the resident memory of a process that sends 8 large
// messages at once: 100 MB each (Gmail: its 35 MB). The sandbox runs in another
// process; each route has a process of its own, built from the whole program.
func TestMemory(t *testing.T) {
	if os.Getenv("POSTINO_BENCH") == "" {
		t.Skip("moves 2 GB through loopback: set POSTINO_BENCH=1")
	}
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	plan := startMemorySandbox(t)
	for _, p := range []adapters.Provider{adapters.Graph, adapters.Gmail, adapters.SMTP} {
		began := time.Now()
		cmd := memoryProcess(ctx, string(p))
		cmd.Stdin = strings.NewReader(plan)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", p, err, out)
		}
		var kb int
		for line := range strings.Lines(string(out)) {
			if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
				break
			}
		}
		t.Logf("%-6s %d x %3d MB at once: peak RSS %.1f MB, %v", p, memorySends, memorySize(p)>>20, float64(kb)/1024,
			time.Since(began).Round(time.Millisecond))
		if kb == 0 || kb > memoryGoal {
			t.Errorf("%s: %d KB, goal %d KB", p, kb, memoryGoal)
		}
	}
}

func memorySize(p adapters.Provider) int64 {
	if p == adapters.Gmail {
		return 35 << 20 // contracts C2: 36,700,160 bytes and not one more
	}
	return 100 << 20
}

func memoryProcess(ctx context.Context, role string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestMemoryProcess$", "-test.v")
	cmd.Env = append(os.Environ(), memoryRole+"="+role)
	return cmd
}

// startMemorySandbox returns the plan of a sandbox in a process of its own,
// which ends with the test.
func startMemorySandbox(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Minute)
	cmd := memoryProcess(ctx, "sandbox")
	cmd.Stderr = os.Stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(io.Discard, stdout); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the sandbox: %v", err)
		}
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "{") {
			return lines.Text()
		}
	}
	t.Fatalf("the sandbox printed nothing: %v", lines.Err())
	return ""
}

// TestMemoryProcess is the body of the benchmark's processes.
func TestMemoryProcess(t *testing.T) {
	switch role := os.Getenv(memoryRole); role {
	case "":
		t.Skip("a process of TestMemory")
	case "sandbox":
		runMemorySandbox(t)
	default:
		sendLarge(t, adapters.Provider(role))
	}
}

func runMemorySandbox(t *testing.T) {
	s, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Configure(func(w *sandbox.Switches) { w.GraphConcurrency = 0 })
	plan := memoryPlan{CAFile: s.CAFile(), Connections: map[adapters.Provider]json.RawMessage{}}
	for _, c := range sandboxConnections(s, memoryFrom)[:3] {
		data, err := sandbox.ConnectionJSON(c)
		if err != nil {
			t.Fatal(err)
		}
		plan.Connections[c.Provider] = data
	}
	if err := json.NewEncoder(os.Stdout).Encode(plan); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// largeMessage is a message of size bytes that is held nowhere.
func largeMessage(t *testing.T, size int64) *mime.Message {
	t.Helper()
	head := strings.ReplaceAll("From: "+memoryFrom+"\nTo: anna@example.com\nSubject: Disegni\nDate: Sun, 22 Nov 2026 10:00:00 +0100\n"+
		"Message-ID: <large@contoso.example>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=M\n\n--M\nContent-Type: "+
		"text/plain\n\nCiao\n"+
		"--M\nContent-Type: application/zip\nContent-Disposition: attachment; filename=dwg.zip\nContent-Transfer-Encoding: base64\n\n", "\n",
		"\r\n")
	const tail = "--M--\r\n"
	m, err := mime.Read(mime.Join(mime.Bytes([]byte(head)), adaptertest.Base64Lines((size-int64(len(head)+len(tail)))/78*78),
		mime.Bytes([]byte(tail))), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sendLarge(t *testing.T, p adapters.Provider) {
	var plan memoryPlan
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		t.Fatal(err)
	}
	conn, err := gateway.Parse(plan.Connections[p])
	if err != nil {
		t.Fatal(err)
	}
	eight := memorySends
	conn.Limits.Concurrency = &eight
	roots, err := loadRoots(plan.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	sender := newSender(roots, nil, nil, nil, nil)
	m := largeMessage(t, memorySize(p))
	env, err := m.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	out := adapters.Outgoing{Message: m, Envelope: env, ID: "large"}
	var wg sync.WaitGroup
	for range memorySends {
		wg.Go(func() {
			if _, err := sender.Send(t.Context(), &conn.Connection, out); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := sender.Close(); err != nil {
		t.Error(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
}
