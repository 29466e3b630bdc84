package fallback

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A script is one file of testdata: settings and expectations ("> key value"),
// then what the server does on each connection, one after the other. Lines:
//
//	S: reply          the server sends it
//	C: pattern        the server expects it; * stands for anything
//	! tls [cert]      the server side of a handshake, with the certificate named
//	! body            reads up to the final dot; it must be the message
//	! chunk N         reads N octets of BDAT; all chunks together must be the message
//	! raw TEXT        sends a Go-quoted string as it is
//	! swallow         reads something and ignores what follows
//	! close, reset    ends the connection at once, politely or not
//	! eof             the client must close without a word
//	! cancel          cancels the caller's context, then expects eof
//	! connection      what follows is the next connection
type script struct {
	name     string
	settings [][2]string
	conns    [][]step
}

type step struct {
	line int
	kind byte // S, C, !
	text string
}

func loadScript(t *testing.T, file string) *script {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sc := &script{name: file, conns: [][]step{nil}}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimRight(line, " \r")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "> "):
			k, v, _ := strings.Cut(line[2:], " ")
			sc.settings = append(sc.settings, [2]string{k, v})
		case line == "! connection":
			sc.conns = append(sc.conns, nil)
		case strings.HasPrefix(line, "S: "), strings.HasPrefix(line, "C: "), line == "C:", strings.HasPrefix(line, "! "):
			n := len(sc.conns) - 1
			sc.conns[n] = append(sc.conns[n], step{i + 1, line[0], strings.TrimPrefix(strings.TrimPrefix(line[1:], ":"), " ")})
		default:
			t.Fatalf("%s:%d: no such line: %q", file, i+1, line)
		}
	}
	return sc
}

// A scripted is a server that plays a script.
type scripted struct {
	script *script
	ln     net.Listener
	body   string             // the message as it must arrive
	tls    *tls.Config        // with the certificate of the handshakes
	cancel context.CancelFunc // of the caller's context
	done   chan error         // one error a script
}

func (sv *scripted) serve() {
	var errs []error
	for n, steps := range sv.script.conns {
		c, err := sv.ln.Accept()
		if err != nil {
			errs = append(errs, fmt.Errorf("connection %d never came", n+1))
			break
		}
		if err := sv.play(c, steps); err != nil {
			errs = append(errs, fmt.Errorf("connection %d: %w", n+1, err))
		}
		_ = c.Close()
	}
	sv.done <- errors.Join(errs...)
}

func (sv *scripted) play(raw net.Conn, steps []step) error {
	conn := raw
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	var chunks strings.Builder
	swallow := false
	for _, st := range steps {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s", sv.script.name, st.line, fmt.Sprintf(format, args...))
		}
		if st.kind == 'S' {
			if _, err := io.WriteString(conn, st.text+"\r\n"); err != nil {
				return fail("%v", err)
			}
			continue
		}
		if st.kind == 'C' {
			line, err := r.ReadString('\n')
			if err != nil {
				return fail("expected %q, got %q and %v", st.text, line, err)
			}
			if !strings.HasSuffix(line, "\r\n") || !glob(st.text, strings.TrimSuffix(line, "\r\n")) {
				return fail("expected %q, got %q", st.text, line)
			}
			continue
		}
		word, arg, _ := strings.Cut(st.text, " ")
		switch word {
		case "tls":
			c := tls.Server(raw, sv.tls)
			err := c.Handshake()
			if arg == "fails" {
				if err == nil {
					return fail("the client took the certificate")
				}
				return nil
			}
			if err != nil {
				return fail("handshake: %v", err)
			}
			conn, r = c, bufio.NewReader(c)
		case "body":
			got, err := readDotted(r)
			if err != nil || got != sv.body {
				return fail("body %q, want %q (%v)", got, sv.body, err)
			}
		case "chunk":
			n, err := strconv.ParseInt(arg, 10, 64)
			if err != nil {
				return fail("%v", err)
			}
			if _, err := io.CopyN(&chunks, r, n); err != nil {
				return fail("%v", err)
			}
			if !strings.HasPrefix(sv.body, chunks.String()) {
				return fail("chunk %q is not of the message", chunks.String())
			}
		case "raw":
			s, err := strconv.Unquote(arg)
			if err != nil {
				return fail("%v", err)
			}
			if _, err := io.WriteString(conn, s); err != nil {
				return fail("%v", err)
			}
		case "swallow":
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				return fail("%v", err)
			}
			swallow = true
		case "close":
			return nil
		case "reset":
			_ = raw.(*net.TCPConn).SetLinger(0)
			return nil
		case "cancel", "eof":
			if word == "cancel" {
				sv.cancel()
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 && !swallow {
				return fail("expected the end, got %q (%v)", rest, err)
			} else if err != nil && !isGone(err) {
				return fail("expected the end, got %v", err)
			}
			return nil
		default:
			return fail("no such directive")
		}
	}
	return nil
}

func isGone(err error) bool {
	var n net.Error
	return !errors.As(err, &n) || !n.Timeout()
}

// readDotted reads the content of DATA and undoes the dots.
func readDotted(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return b.String(), err
		}
		if line == ".\r\n" {
			return b.String(), nil
		}
		if !strings.HasSuffix(line, "\r\n") {
			return b.String(), errors.New("a bare LF on the wire")
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
