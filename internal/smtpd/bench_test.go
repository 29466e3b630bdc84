package smtpd

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// BenchmarkSubmission is a message of 10 KB over loopback into a real store,
// fsynced, over ten sessions as smtp-source does it: without pipelining.
func BenchmarkSubmission(b *testing.B) {
	benchmarkSubmission(b, false)
}

// BenchmarkSubmissionPipelined sends each transaction as two groups.
func BenchmarkSubmissionPipelined(b *testing.B) {
	benchmarkSubmission(b, true)
}

func benchmarkSubmission(b *testing.B, pipelined bool) {
	w := newWorld(b, setup{})
	w.store.forget = true
	message := []byte("From: erp@contoso.it\r\nTo: a@x.it\r\nSubject: fattura\r\nDate: Sun, 22 Nov 2026 09:00:00 +0100\r\nMessage-ID: " +
		"<1@contoso.it>\r\n\r\n" +
		strings.Repeat(strings.Repeat("x", 70)+"\r\n", 142) + ".\r\n")
	const sessions = 10
	var todo = make(chan struct{}, b.N)
	for range b.N {
		todo <- struct{}{}
	}
	close(todo)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range sessions {
		wg.Go(func() {
			c := w.dial()
			defer c.Close()
			s := &sender{c: c, r: bufio.NewReader(c)}
			s.expect("220")
			s.send("EHLO pc\r\n", "250")
			for range todo {
				if pipelined {
					s.send("MAIL FROM:<erp@contoso.it>\r\nRCPT TO:<a@x.it>\r\nDATA\r\n", "250", "250", "354")
				} else {
					s.send("MAIL FROM:<erp@contoso.it>\r\n", "250")
					s.send("RCPT TO:<a@x.it>\r\n", "250")
					s.send("DATA\r\n", "354")
				}
				if _, err := c.Write(message); err != nil {
					s.err = err
				}
				s.expect("250")
			}
			if s.err != nil {
				b.Error(s.err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// A sender is a client that costs little.
type sender struct {
	c   net.Conn
	r   *bufio.Reader
	err error
}

func (s *sender) send(text string, codes ...string) {
	if _, err := io.WriteString(s.c, text); err != nil && s.err == nil {
		s.err = err
	}
	for _, c := range codes {
		s.expect(c)
	}
}

func (s *sender) expect(code string) {
	for s.err == nil {
		line, err := s.r.ReadSlice('\n')
		if err != nil || string(line[:3]) != code {
			s.err = &net.OpError{Op: string(line), Err: err}
			return
		}
		if line[3] == ' ' {
			return
		}
	}
}
