package smtpd

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// FuzzSession: whatever a client sends in one go, the session ends when the
// client does, every reply line is one, nothing secret or foreign comes back,
// and a message is taken only for a 250 that names it.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"EHLO pc\r\n", "HELO pc\r\nQUIT\r\n",
		"MAIL FROM:<erp@contoso.it>\r\nRCPT TO:<a@x.it>\r\nDATA\r\n",
		"MAIL FROM:<erp@contoso.it>\r\nRCPT TO:<a@x.it>\r\nBDAT 45 LAST\r\nFrom: erp@contoso.it\r\nTo: a@x.it\r\n\r\nciao\r\n\r\nRSET\r\n",
		"AUTH PLAIN AGVycABz\r\n", "AUTH LOGIN\r\nZXJw\r\ncw==\r\n", "STARTTLS\r\n\x16\x03\x01\x00\x05hello", "BDAT 99999999999999999\r\n",
		"\r\n\r\n", "NOOP\n", strings.Repeat("x", 20000) + "\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	w := newWorld(f, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.0/8"}, PlaintextAuth: true, Auth: "optional"}},
		clients: []store.Client{{Name: "erp", SecretHash: "s"}}, limits: Limits{AuthDelay: time.Nanosecond, AddrFails: 1 << 30,
			NameFails: 1 << 30}})
	f.Fuzz(func(t *testing.T, in []byte, greeted bool) {
		mine, theirs := net.Pipe()
		n := newSession(w.server, w.server.listeners[0], theirs, netip.MustParseAddr("127.0.0.1"))
		done := make(chan struct{})
		go func() { defer close(done); n.run() }()
		before := len(w.store.messages())
		var out bytes.Buffer
		read := make(chan struct{})
		go func() { defer close(read); _, _ = io.Copy(&out, mine) }() // until one side closes
		if greeted {
			_, _ = io.WriteString(mine, "EHLO pc\r\n") // the session may be over
		}
		_, _ = mine.Write(in) // likewise
		_ = mine.Close()      // never fails
		<-done
		<-read
		taken := len(w.store.messages()) - before
		for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\r\n"), "\r\n") {
			if bytes.HasPrefix(in, []byte("STARTTLS\r\n")) || bytes.Contains(out.Bytes(), []byte("ready to start TLS")) {
				break // what follows is TLS
			}
			if len(line) > 510 || len(line) < 4 || line[3] != ' ' && line[3] != '-' || strings.Trim(line[:3], "0123456789") != "" ||
				strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("%q was answered with the line %q", in, line)
			}
		}
		if told := strings.Count(out.String(), "250 2.0.0 queued as "); told > taken {
			t.Fatalf("%q: %d messages were acknowledged, %d taken", in, told, taken)
		}
	})
}
