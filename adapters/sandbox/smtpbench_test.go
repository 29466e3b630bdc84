package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// BenchmarkSMTP10KB is one message of 10 KB on a kept connection, pipelined.
// The client's work is counted too.
func BenchmarkSMTP10KB(b *testing.B) {
	s, err := Start(Options{AnyMailbox: true, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.Configure(func(sw *Switches) { sw.SMTPOpen = true })
	_, _, plain := s.SMTPPorts()
	msg := "From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 131) + ".\r\n"
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	b.SetParallelism(5) // 10 sessions on 2 cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", plain))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		br := bufio.NewReader(conn)
		say := func(text string, replies ...string) bool {
			if _, err := io.WriteString(conn, text); err != nil {
				b.Error(err)
				return false
			}
			for _, want := range replies {
				line, err := br.ReadString('\n')
				for err == nil && line[3] == '-' {
					line, err = br.ReadString('\n')
				}
				if err != nil || !strings.HasPrefix(line, want) {
					b.Errorf("%q %v", line, err)
					return false
				}
			}
			return true
		}
		if !say("", "220") || !say("EHLO c\r\n", "250") {
			return
		}
		for pb.Next() {
			if !say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250", "250", "354") || !say(msg, "250") {
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
