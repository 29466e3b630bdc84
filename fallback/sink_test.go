package fallback

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// A sink is a small server that takes all mail and throws it away.
type sink struct {
	ln   net.Listener
	ext  []string
	hook func(*sinkConn, string) bool // called for each command; true: it has answered

	mu    sync.Mutex
	open  map[net.Conn]bool
	most  int // the most connections at once
	total int
	bytes int64
	wg    sync.WaitGroup
}

type sinkConn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
	n int // messages
}

func newSink(t testing.TB, hook func(*sinkConn, string) bool, ext ...string) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &sink{ln: ln, ext: ext, hook: hook, open: map[net.Conn]bool{}}
	k.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			k.mu.Lock()
			k.open[c] = true
			k.total++
			k.most = max(k.most, len(k.open))
			k.mu.Unlock()
			k.wg.Go(func() {
				k.serve(&sinkConn{Conn: c, r: bufio.NewReaderSize(c, 64<<10), w: bufio.NewWriter(c)})
				k.mu.Lock()
				delete(k.open, c)
				k.mu.Unlock()
				_ = c.Close()
			})
		}
	})
	t.Cleanup(k.close)
	return k
}

func (k *sink) close() {
	_ = k.ln.Close()
	k.mu.Lock()
	for c := range k.open {
		_ = c.Close()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

func (k *sink) counts() (open, most, total int, bytes int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.open), k.most, k.total, k.bytes
}

func (k *sink) serve(c *sinkConn) {
	_, _ = io.WriteString(c.Conn, "220 sink.example ESMTP\r\n")
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		switch {
		case k.hook != nil && k.hook(c, line):
		case verb == "EHLO":
			_, _ = c.w.WriteString("250-sink.example\r\n")
			for _, e := range k.ext {
				_, _ = c.w.WriteString("250-" + e + "\r\n")
			}
			_, _ = c.w.WriteString("250 HELP\r\n")
		case verb == "DATA":
			_, _ = c.w.WriteString("354 go\r\n")
			_ = c.w.Flush()
			if !k.drain(c) {
				return
			}
			_, _ = c.w.WriteString("250 2.0.0 Ok: queued as 1\r\n")
		case verb == "BDAT":
			var n int64
			if _, err := fmt.Sscanf(line, "BDAT %d", &n); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, c.r, n); err != nil {
				return
			}
			k.add(n)
			_, _ = c.w.WriteString("250 2.0.0 Ok\r\n")
		case verb == "QUIT":
			k.mu.Lock()
			delete(k.open, c.Conn) // over, before the client can know
			k.mu.Unlock()
			_, _ = io.WriteString(c.Conn, "221 bye\r\n")
			return
		default:
			_, _ = c.w.WriteString("250 2.0.0 ok\r\n")
		}
		if c.r.Buffered() == 0 {
			if c.w.Flush() != nil {
				return
			}
		}
	}
}

// drain reads up to the final dot.
func (k *sink) drain(c *sinkConn) bool {
	start := true
	var n int64
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return false
		}
		if start && string(line) == ".\r\n" {
			c.n++
			k.add(n)
			return true
		}
		n += int64(len(line))
		start = err == nil
	}
}

func (k *sink) add(n int64) {
	k.mu.Lock()
	k.bytes += n
	k.mu.Unlock()
}

// connection is a connection to the sink.
func (k *sink) connection() *adapters.Connection {
	return &adapters.Connection{Name: "sink", Provider: adapters.SMTP, From: "a@example.com", Settings: &Settings{
		Host: "127.0.0.1", Port: k.ln.Addr().(*net.TCPAddr).Port, Encryption: EncryptionNone, Hostname: "client.example"}}
}

func (k *sink) adapter(t testing.TB, opt Options, change func(*adapters.Connection)) *Adapter {
	t.Helper()
	c := k.connection()
	if change != nil {
		change(c)
	}
	if opt.Timeouts.Quit == 0 {
		opt.Timeouts.Quit = time.Second
	}
	a, err := New(c, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// repeated is any number of copies of a line, without holding them.
type repeated struct {
	line string
	size int64
}

func (r repeated) Size() int64 { return r.size }

func (r repeated) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off+int64(n) < r.size {
		i := (off + int64(n)) % int64(len(r.line))
		n += copy(p[n:min(int64(len(p)), r.size-off)], r.line[i:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// bigMessage is about size octets long.
func bigMessage(t testing.TB, size int64) *mime.Message {
	t.Helper()
	line := strings.Repeat("A", 76) + "\r\n"
	head := "From: a@example.com\r\nTo: b@example.com\r\nSubject: big\r\nMessage-ID: <big@example.com>\r\nMIME-Version: " +
		"1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	m, err := mime.Read(mime.Join(mime.Bytes([]byte(head)), repeated{line, size / int64(len(line)) * int64(len(line))}), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func outgoing(m *mime.Message, rcpts ...string) adapters.Outgoing {
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of("a@example.com")}}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(r)})
	}
	return out
}
