package smtpd

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// A client that has heard the 250 may send the same again and means it; one
// with a session that ended before gets the first answer again.
func TestReplyConfirmed(t *testing.T) {
	t.Parallel()
	const mail = "MAIL FROM:<erp@contoso.it>\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n"
	const text = "From: erp@contoso.it\r\nMessage-ID: <1@contoso.it>\r\nSubject: Fattura\r\n\r\nciao\r\n.\r\n"
	for _, c := range []struct {
		name   string
		end    []string // what is written after the message, each when the replies before were read
		behind string   // what is written with the end of the message
		reset  bool
		copies int
	}{
		{"QUIT", []string{"QUIT\r\n"}, "", false, 2},
		{"another message", []string{"MAIL FROM:<erp@contoso.it>\r\n"}, "", false, 2},
		{"an unknown command", []string{"XYZ\r\n"}, "", true, 2},
		{"closed", nil, "", false, 1},
		{"reset", nil, "", true, 1},
		{"half a command", []string{"QU"}, "", false, 1},
		{"QUIT pipelined behind the message", nil, "QUIT\r\n", false, 1},
		{"RSET pipelined, then a command", []string{"NOOP\r\n"}, "RSET\r\n", false, 2},
		{"next envelope pipelined, its content after the reply", []string{text}, mail, false, 2},
	} {
		for _, secure := range []bool{false, true} {
			name := c.name
			l := config.Listener{}
			if secure {
				name, l.TLS = name+", TLS", "implicit"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, setup{listeners: []config.Listener{l}})
				raw := w.dial()
				conn := raw
				if secure {
					conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) // a self-made certificate
				}
				p := &talker{t, conn, bufio.NewReader(conn)}
				p.reply()
				p.say("EHLO pc\r\n", 1)
				p.say(mail, 3)
				replies := 1
				if c.behind != "" {
					replies += strings.Count(c.behind, "\r\n")
				}
				p.say(text+c.behind, replies)
				for _, e := range c.end {
					p.write(e)
					if strings.HasSuffix(e, "\r\n") {
						p.reply()
					}
				}
				if tcp, ok := raw.(*net.TCPConn); ok && c.reset {
					if err := tcp.SetLinger(0); err != nil {
						t.Fatal(err)
					}
				}
				if err := raw.Close(); err != nil {
					t.Fatal(err)
				}

				again := &talker{t, w.dial(), nil}
				if secure {
					again.Conn = tls.Client(again.Conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
				}
				again.r = bufio.NewReader(again.Conn)
				defer again.Close()
				again.reply()
				again.say("EHLO pc\r\n", 1)
				again.say(mail, 3)
				if got := again.say(text, 1); !strings.HasPrefix(got, "250") {
					t.Errorf("the same again: %q", got)
				}
				if got := stored(t, w.store); got != c.copies {
					t.Errorf("%d copies, want %d", got, c.copies)
				}
			})
		}
	}
}

// What a TLS record still holds behind a message was sent with it, also where it
// was not yet read out of TLS.
func TestUnreadTLSRecordConfirmsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{TLS: "implicit"}}})
	const head = "From: erp@contoso.it\r\nMessage-ID: <1@contoso.it>\r\nSubject: Fattura\r\n\r\n"
	const begun, rest = "NOOP 012345678", "\r\nMAIL FROM:<erp@contoso.it>\r\nRCPT TO:<anna@example.com>\r\n"
	open := func() *talker {
		conn := tls.Client(w.dial(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true})
		p := &talker{t, conn, bufio.NewReader(conn)}
		p.reply()
		p.say("EHLO pc\r\n", 1)
		return p
	}
	// The record is one of the largest; beside the half command the reader has no
	// room for all of it, and what is behind the message stays in TLS.
	const record, behind = readerSize, "NOOP 1\r\nRSET\r\n"
	if len(behind) != len(begun) {
		t.Fatal("the record must end with the message in the reader")
	}
	size := record - len(rest) - len("BDAT 12345 LAST\r\n") - len(behind)
	body := head + strings.Repeat(strings.Repeat("x", 70)+"\r\n", (size-len(head))/72-1)
	body += strings.Repeat("y", size-len(body)-2) + "\r\n"
	command := fmt.Sprintf("BDAT %d LAST\r\n", size)

	p := open()
	p.write(begun)
	p.write(rest + command + body + behind)
	const replies = 4 + 2
	for range replies {
		p.reply()
	}
	if err := p.Conn.(*tls.Conn).NetConn().Close(); err != nil { //nolint:forcetypeassert // made above
		t.Fatal(err)
	}
	again := open()
	again.write(begun + rest + command + body)
	for range 4 {
		again.reply()
	}
	if got := stored(t, w.store); got != 1 {
		t.Errorf("%d copies, want 1", got)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// A session that never gives a sign keeps a bounded number of receipts.
func TestUnheardOfSession(t *testing.T) {
	t.Parallel()
	s := &session{}
	for i := range 3 * maxUnheard {
		s.keepReceipt(store.Receipt{Hour: int64(i)})
	}
	if len(s.unheard) != maxUnheard || s.unheard[maxUnheard-1].Hour != 3*maxUnheard-1 {
		t.Errorf("%d receipts, the last of %d", len(s.unheard), s.unheard[len(s.unheard)-1].Hour)
	}
}

func stored(t *testing.T, s store.Store) int {
	t.Helper()
	page, err := s.List(t.Context(), store.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Entries)
}

// A talker writes and counts replies.
type talker struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (p *talker) write(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *talker) reply() string {
	p.t.Helper()
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return ""
			}
			p.t.Fatal(err)
		}
		if len(line) > 3 && line[3] == ' ' {
			return line
		}
	}
}

// say writes and reads so many replies; the last is given.
func (p *talker) say(s string, replies int) (last string) {
	p.t.Helper()
	p.write(s)
	for range replies {
		last = p.reply()
	}
	return last
}
