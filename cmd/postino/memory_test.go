package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/adaptertest"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

const (
	largeSessions = 8
	largeSize     = 100 << 20 // bytes of each message
	memoryGoal    = 128 << 10 // KB, budget of the design
)

// TestServeMemory prints the peak resident memory of a running server that
// takes 8 messages of 100 MB at once by SMTP and sends them on, 8 at once.
// Clients and sandbox are in the test's process, the server in its own.
func TestServeMemory(t *testing.T) {
	if os.Getenv("POSTINO_BENCH") == "" {
		t.Skip("moves 3 GB through loopback: set POSTINO_BENCH=1")
	}
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	binary := filepath.Join(t.TempDir(), "postino")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct {
		name string
		make func(*sandbox.Sandbox, string) *adapters.Connection
	}{{"graph", (*sandbox.Sandbox).GraphConnection}, {"smtp", (*sandbox.Sandbox).SMTPConnection}} {
		t.Run(c.name, func(t *testing.T) {
			sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := sb.Close(); err != nil {
					t.Error(err)
				}
			})
			sb.Configure(func(s *sandbox.Switches) { s.GraphConcurrency = 0 })
			conn := c.make(sb, shop)
			eight := largeSessions
			conn.Limits.Concurrency = &eight
			data := t.TempDir()
			st, err := app.OpenStore(t.Context(), app.Storage{Data: data}, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, perr := st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *conn})
			if err := errors.Join(perr, st.Close()); err != nil {
				t.Fatal(err)
			}
			server, addr := startBinary(t, binary, data, sb.CAFile())
			idle := peakMemory(t, server)
			began := time.Now()
			sendLarge(t, addr)
			taken, takenTime := peakMemory(t, server), time.Since(began)
			awaitDeliveries(t, sb, largeSessions)
			peak := peakMemory(t, server)
			if err := server.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			t.Logf("%d x %d MB at once by SMTP, out by %s: peak RSS %.1f MB (idle %.1f, once all were taken %.1f), taken in %v, all delivered in %v",
				largeSessions, largeSize>>20, c.name, mb(peak), mb(idle), mb(taken), takenTime.Round(time.Millisecond),
				time.Since(began).Round(time.Millisecond))
			if peak > memoryGoal {
				t.Errorf("peak RSS %d KB, goal %d KB", peak, memoryGoal)
			}
		})
	}
}

func mb(kb int) float64 { return float64(kb) / 1024 }

// startBinary runs `postino serve` until the test ends; the test sends SIGTERM.
func startBinary(t *testing.T, binary, data, caFile string) (*os.Process, string) {
	t.Helper()
	cmd := exec.Command(binary, "serve", "--data", data, "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ca-file", caFile)
	log := new(bytes.Buffer) // Wait ends the writing
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() }) // it should have ended by SIGTERM
		defer late.Stop()
		if t.Failed() {
			_ = cmd.Process.Signal(syscall.SIGTERM) // perhaps again
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v", err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "smtp "); ok {
			return cmd.Process, addr
		}
	}
	t.Fatal("the server does not say where it listens")
	return nil, ""
}

// peakMemory is the most resident memory so far, in KB (proc(5), VmHWM).
func peakMemory(t *testing.T, p *os.Process) (kb int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// sendLarge submits the messages. None ends before all are nearly there.
func sendLarge(t *testing.T, addr string) {
	t.Helper()
	var all, nearly sync.WaitGroup
	nearly.Add(largeSessions)
	for i := range largeSessions {
		all.Go(func() {
			if err := submitLarge(addr, i, &nearly); err != nil {
				t.Errorf("session %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

func submitLarge(addr string, n int, nearly *sync.WaitGroup) error {
	arrived := sync.OnceFunc(nearly.Done)
	defer arrived() // also when this one fails
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Mail(shop), c.Rcpt(fmt.Sprintf("anna%d@example.com", n))); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	head := strings.ReplaceAll(fmt.Sprintf("From: %s\nTo: anna%d@example.com\nSubject: Disegni %d\nMIME-Version: 1.0\nContent-Type: "+
		"multipart/mixed; boundary=M\n\n--M\nContent-Type: text/plain\n\nCiao\n"+
		"--M\nContent-Type: application/zip\nContent-Disposition: attachment; filename=dwg.zip\nContent-Transfer-Encoding: base64\n\n", shop, n,
		n), "\n", "\r\n")
	const tail = "--M--\r\n"
	file := adaptertest.Base64Lines((largeSize - int64(len(head)+len(tail))) / 78 * 78)
	most := file.Size() * 99 / 100
	part := func(off, size int64) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(file, off, size), make([]byte, 256<<10))
		return err
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	if err := part(0, most); err != nil {
		return err
	}
	arrived()
	nearly.Wait()
	if err := part(most, file.Size()-most); err != nil {
		return err
	}
	if _, err := io.WriteString(w, tail); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

func awaitDeliveries(t *testing.T, sb *sandbox.Sandbox, n int) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.After(3 * time.Minute)
	for len(sb.Deliveries()) < n {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d of %d arrived", len(sb.Deliveries()), n)
		}
	}
	for _, d := range sb.Deliveries() {
		if d.Size < largeSize*98/100 || len(d.Recipients) != 1 {
			t.Errorf("arrived %+v", d)
		}
	}
}
