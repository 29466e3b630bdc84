package fallback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A server that hangs up in the middle of the body has accepted nothing, and
// what it says before it does is the reason.
func TestServerLeavesDuringBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says string
		want string
	}{
		"silently":   {"", "transient connection_lost scope=connection"},
		"too large":  {"552 5.3.4 message too big\r\n", "permanent 552 5.3.4 toolarge"},
		"going down": {"421 4.3.2 shutting down\r\n", "transient 421 4.3.2 scope=connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newSink(t, func(s *sinkConn, line string) bool {
				if line != "DATA" {
					return false
				}
				_, _ = s.w.WriteString("354 go\r\n")
				_ = s.w.Flush()
				_, _ = io.CopyN(io.Discard, s.r, 1<<20)
				_, _ = io.WriteString(s.Conn, c.says)
				_ = s.Close()
				return true
			}, "PIPELINING")
			_, err := k.adapter(t, Options{}, nil).Send(t.Context(), outgoing(bigMessage(t, 16<<20), "b@example.com"))
			// The reset may overtake the words; never is it unknown or accepted.
			if got := describe(err); got != c.want && got != "transient connection_lost scope=connection" {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// A cancelled context ends a send with blocked writes.
func TestCancelWhileWriting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	k := newSink(t, func(s *sinkConn, line string) bool {
		if line != "DATA" {
			return false
		}
		_, _ = s.w.WriteString("354 go\r\n")
		_ = s.w.Flush()
		cancel()
		<-t.Context().Done() // reads nothing
		return true
	}, "PIPELINING")
	_, err := k.adapter(t, Options{}, nil).Send(ctx, outgoing(bigMessage(t, 16<<20), "b@example.com"))
	if describe(err) != "transient cancelled scope=connection" {
		t.Errorf("%v", err)
	}
}

// failing is stored bytes that cannot be read to their end.
type failing struct{ mime.Source }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 1<<20 {
		return 0, errors.New("disk gone")
	}
	return f.Source.ReadAt(p, off)
}

func TestUnreadableMessageIsNotHalfSent(t *testing.T) {
	t.Parallel()
	for _, chunking := range []bool{false, true} {
		k := newSink(t, nil, "PIPELINING", "CHUNKING")
		m, err := mime.Read(failing{bigMessage(t, 8<<20).Source()}, mime.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.adapter(t, Options{Chunking: chunking}, nil).Send(t.Context(), outgoing(m, "b@example.com"))
		if describe(err) != "transient unreadable" {
			t.Errorf("%v", err)
		}
		if _, _, _, n := k.counts(); n != 0 {
			t.Errorf("the server took %d bytes of half a message", n)
		}
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	refuse := ""
	k := newSink(t, func(c *sinkConn, line string) bool {
		if !strings.HasPrefix(line, "BDAT") && line != "RSET" {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
		if refuse != "" && line == refuse {
			_, _ = io.CopyN(io.Discard, c.r, chunkSize)
			_, _ = c.w.WriteString("552 5.3.4 enough\r\n")
			return true
		}
		return false
	}, "PIPELINING", "CHUNKING")
	a := k.adapter(t, Options{Chunking: true}, nil)
	m := bigMessage(t, 9<<20)
	rec, err := a.Send(t.Context(), outgoing(m, "b@example.com"))
	if err != nil || rec.Bytes != m.Size() {
		t.Fatalf("%+v %v", rec, err)
	}
	rest := m.Size() - 2*chunkSize
	mu.Lock()
	if got := strings.Join(lines, ","); got != fmt.Sprintf("BDAT %d,BDAT %d,BDAT %d LAST", chunkSize, chunkSize, rest) {
		t.Errorf("%s", got)
	}
	lines, refuse = nil, fmt.Sprintf("BDAT %d", chunkSize)
	mu.Unlock()
	if _, err := a.Send(t.Context(), outgoing(m, "b@example.com")); describe(err) != "permanent 552 5.3.4 toolarge" {
		t.Errorf("%v", err)
	}
	mu.Lock()
	refuse = ""
	mu.Unlock()
	if _, err := a.Send(t.Context(), outgoing(m, "b@example.com")); err != nil {
		t.Errorf("after a refused chunk: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lines) < 2 || lines[1] != "RSET" {
		t.Errorf("no RSET after a refused chunk: %v", lines)
	}
}

func TestConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("100 MB: not with -short")
	}
	for _, chunking := range []bool{false, true} {
		k := newSink(t, nil, "PIPELINING", "CHUNKING", "SIZE", "8BITMIME")
		a := k.adapter(t, Options{Chunking: chunking}, nil)
		size := int64(100 << 20)
		if raceEnabled {
			size = 8 << 20
		}
		m := bigMessage(t, size)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		rec, err := a.Send(t.Context(), outgoing(m, "b@example.com"))
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 { // all that was ever allocated, freed or not
			t.Errorf("chunking %v: %d KB allocated for %d MB", chunking, grown>>10, size>>20)
		}
		if rec.Bytes != m.Size() {
			t.Errorf("%d bytes", rec.Bytes)
		}
	}
}

func BenchmarkSendKept10KB(b *testing.B) {
	k := newSink(b, nil, "PIPELINING", "SIZE", "8BITMIME")
	a := k.adapter(b, Options{MaxMessages: 1 << 30}, nil)
	out := outgoing(bigMessage(b, 10<<10), "b@example.com")
	b.ReportAllocs()
	b.SetBytes(out.Message.Size())
	for b.Loop() {
		if _, err := a.Send(b.Context(), out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSend100MB(b *testing.B) {
	for name, chunking := range map[string]bool{"data": false, "bdat": true} {
		b.Run(name, func(b *testing.B) {
			k := newSink(b, nil, "PIPELINING", "CHUNKING")
			a := k.adapter(b, Options{Chunking: chunking, MaxMessages: 1 << 30}, nil)
			out := outgoing(bigMessage(b, 100<<20), "b@example.com")
			b.SetBytes(out.Message.Size())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Send(b.Context(), out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ adapters.Adapter = (*Adapter)(nil)
