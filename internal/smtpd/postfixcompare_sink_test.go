package smtpd_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A recordingServer is where all ways end: a server that takes everything and
// remembers it.
type recordingServer struct {
	net.Listener
	mu  sync.Mutex
	got []arrival
}

// An arrival is one message as it came.
type arrival struct {
	from  string
	rcpts []string
	raw   string
}

func newRecordingServer(t *testing.T) *recordingServer {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &recordingServer{Listener: l}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its peer's connection
				if err := k.serve(c); err != nil && !errors.Is(err, net.ErrClosed) {
					_ = c.Close() // the peer is gone
				}
			}()
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	return k
}

func (k *recordingServer) serve(c net.Conn) error {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(s string) error { _, err := fmt.Fprint(c, s+"\r\n"); return err }
	err := say("220 sink ESMTP")
	var m arrival
	for err == nil {
		var line string
		if line, err = r.ReadString('\n'); err != nil {
			return err
		}
		line = strings.TrimSuffix(line, "\r\n")
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO", "HELO":
			err = say("250-sink\r\n250-PIPELINING\r\n250-SIZE 200000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES")
		case "MAIL":
			from, _, _ := strings.Cut(line[len("MAIL FROM:"):], ">")
			m = arrival{from: strings.TrimPrefix(from, "<")}
			err = say("250 2.1.0 ok")
		case "RCPT":
			to, _, _ := strings.Cut(line[len("RCPT TO:"):], ">")
			m.rcpts = append(m.rcpts, strings.TrimPrefix(to, "<"))
			err = say("250 2.1.5 ok")
		case "DATA":
			if err = say("354 go"); err != nil {
				break
			}
			if m.raw, err = content(r); err != nil {
				break
			}
			k.mu.Lock()
			k.got = append(k.got, m)
			k.mu.Unlock()
			err = say("250 2.0.0 ok")
		case "QUIT":
			return say("221 2.0.0 bye")
		default:
			err = say("250 2.0.0 ok")
		}
	}
	return err
}

// content reads to CR LF . CR LF and undoes the dots.
func content(r *bufio.Reader) (string, error) {
	var b strings.Builder
	begins := true // a line, with CR LF before it
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if begins && line == ".\r\n" {
			return b.String(), nil
		}
		if begins {
			line = strings.TrimPrefix(line, ".")
		}
		b.WriteString(line)
		begins = strings.HasSuffix(line, "\r\n")
	}
}

// arrived are the messages of one dialogue by one way, from, recipients and the
// part of the content that no one may change.
func (k *recordingServer) arrived(tag string) (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.got {
		if len(m.rcpts) == 0 || !strings.Contains(strings.Join(m.rcpts, " "), tag+"@") {
			continue
		}
		rcpts := slices.Sorted(slices.Values(m.rcpts))
		_, body, _ := strings.Cut(m.raw, "\r\n\r\n")
		subject := ""
		for _, l := range strings.Split(m.raw, "\r\n") {
			if strings.HasPrefix(l, "Subject:") {
				subject = l
				break
			}
		}
		out = append(out, fmt.Sprintf("%s -> %s %q %q", m.from, strings.Join(rcpts, " "), subject, body))
	}
	return out
}
