package mime

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// bench10K is a usual message of 10 KB.
func bench10K() []byte {
	return []byte("Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0100\r\nFrom: =?utf-8?q?Nicol=C3=B2_Rossi?= <nico@contoso.it>\r\n" +
		"To: Anna Bianchi <anna@example.it>, \"Verdi, Bruno\" <bruno@example.it>\r\nCc: carla@example.it\r\nBcc: hidden@example.it\r\n" +
		"Subject: =?utf-8?q?Fattura_n=C2=B0_12?=\r\nDate: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@contoso.it>\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: text/plain; charset=us-ascii\r\nX-Mailer: ERP 1.0\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 120))
}

// BenchmarkViews reads a message of 10 KB and copies both of its views.
func BenchmarkViews(b *testing.B) {
	raw := bench10K()
	env := []string{"anna@example.it", "bruno@example.it", "hidden@example.it"}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	buf := make([]byte, 32<<10)
	for b.Loop() {
		m, err := Read(Bytes(raw), Limits{})
		if err != nil {
			b.Fatal(err)
		}
		api, err := m.ForAPI(mailboxes(env...))
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range []Source{api, m.ForSMTP()} {
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{NewReader(s)}, buf); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRead10K reads the same message, from memory and from elsewhere.
func BenchmarkRead10K(b *testing.B) {
	raw := bench10K()
	for name, src := range map[string]Source{"memory": Bytes(raw), "reader": bytes.NewReader(raw)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(src, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAccept10K accepts the same message, as it stands and read already.
func BenchmarkAccept10K(b *testing.B) {
	raw := bench10K()
	b.Run("bytes", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Accept(Bytes(raw), AcceptOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("message", func(b *testing.B) {
		m, err := Read(Bytes(raw), Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Accept(AcceptOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkForAPI10000 makes the view for 10,000 recipients, half of them hidden.
func BenchmarkForAPI10000(b *testing.B) {
	var to strings.Builder
	env := make([]string, 0, 10_000)
	for i := range 10_000 {
		env = append(env, fmt.Sprintf("user%d@example.it", i))
		if i%2 == 0 {
			fmt.Fprintf(&to, "User %d <user%d@example.it>,\r\n ", i, i)
		}
	}
	m, err := Read(Bytes([]byte("From: a@x.it\r\nTo: "+to.String()+"gone@example.it\r\n\r\n")), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.ForAPI(mailboxes(env...)); err != nil {
			b.Fatal(err)
		}
	}
}

// generated is a message of any size that is made while it is read.
type generated struct {
	head string
	line string
	n    int64 // lines
}

func (g generated) Size() int64 { return int64(len(g.head)) + g.n*int64(len(g.line)) }

func (g generated) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < g.Size() {
		var from string
		if off < int64(len(g.head)) {
			from = g.head[off:]
		} else {
			from = g.line[(off-int64(len(g.head)))%int64(len(g.line)):]
		}
		k := copy(p[n:], from)
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// BenchmarkAccept100M accepts a message of 100 MB; heap-MB is what it holds at
// its end, which must not grow with the message.
func BenchmarkAccept100M(b *testing.B) {
	g := generated{head: okHead + "MIME-Version: 1.0\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		line: strings.Repeat("QUJD", 19) + "\r\n", n: 100_000_000 / 78}
	b.SetBytes(g.Size())
	b.ReportAllocs()
	for b.Loop() {
		m, err := Accept(g, AcceptOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, NewReader(m.ForSMTP())); err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(m)
	}
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	b.ReportMetric(float64(st.HeapSys)/(1<<20), "heap-MB")
}
