package sandbox

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSMTPDialogues plays testdata/smtp/*.txt, one file a rule. Lines:
//
//	port starttls|tls|plain    connects; a second one opens a second connection
//	switch {JSON}              Switches
//	fault {JSON}               Fault
//	> COMMAND                  sent with CRLF; $PASS(login), $B64(text) and $B64PLAIN(login) are filled in
//	>> "go string"             sent as it is
//	< PREFIX                   the next whole reply, lines joined by |, begins so; $CRLF stands for nothing
//	< EOF                      the connection ends
//	starttls                   STARTTLS and the handshake
//	auth LOGIN                 AUTH PLAIN with the right password
//	deliveries N, violations N, recipients A,B
func TestSMTPDialogues(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/smtp/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := &dialogue{t: t, s: startSandbox(t)}
			for i, line := range strings.Split(string(script), "\n") {
				d.at = fmt.Sprintf("%s:%d: %s", filepath.Base(file), i+1, line)
				d.step(line)
			}
		})
	}
}

func startSandbox(t testing.TB) *Sandbox {
	t.Helper()
	s, err := Start(Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

type dialogue struct {
	t    testing.TB
	s    *Sandbox
	at   string
	conn net.Conn
	br   *bufio.Reader
}

func (d *dialogue) fatal(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s\n%s", d.at, fmt.Sprintf(format, args...))
}

func (d *dialogue) step(line string) {
	d.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "", "#":
	case "port":
		d.dial(rest)
	case "switch":
		d.s.Configure(func(sw *Switches) {
			if err := json.Unmarshal([]byte(rest), sw); err != nil {
				d.fatal("%v", err)
			}
		})
	case "fault":
		var f Fault
		if err := json.Unmarshal([]byte(rest), &f); err != nil {
			d.fatal("%v", err)
		}
		d.s.Inject(f)
	case ">":
		d.send(d.fill(rest) + "\r\n")
	case ">>":
		raw, err := strconv.Unquote(rest)
		if err != nil {
			d.fatal("%v", err)
		}
		d.send(raw)
	case "<":
		d.expect(rest)
	case "starttls":
		d.send("STARTTLS\r\n")
		d.expect("220")
		d.use(tls.Client(d.conn, &tls.Config{RootCAs: d.s.CertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}))
	case "auth":
		d.send("AUTH PLAIN " + d.fill("$B64PLAIN("+rest+")") + "\r\n")
		d.expect("235")
	case "deliveries":
		if got := strconv.Itoa(len(d.s.Deliveries())); got != rest {
			d.fatal("%s deliveries", got)
		}
	case "recipients":
		all := d.s.Deliveries()
		if len(all) == 0 || strings.Join(all[len(all)-1].Recipients, ",") != rest {
			d.fatal("got %+v", all)
		}
	case "violations":
		if got := d.s.SMTPViolations(); strconv.Itoa(len(got)) != rest {
			d.fatal("violations: %q", got)
		}
	default:
		d.fatal("unknown directive")
	}
}

func (d *dialogue) dial(port string) {
	d.t.Helper()
	starttls, implicit, plain := d.s.SMTPPorts()
	n, ok := map[string]int{"starttls": starttls, "tls": implicit, "plain": plain}[port]
	if !ok {
		d.fatal("unknown port")
	}
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n)))
	if err != nil {
		d.fatal("%v", err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		d.fatal("%v", err)
	}
	if port == "tls" {
		conn = tls.Client(conn, &tls.Config{RootCAs: d.s.CertPool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	}
	d.use(conn)
}

func (d *dialogue) use(conn net.Conn) { d.conn, d.br = conn, bufio.NewReader(conn) }

func (d *dialogue) fill(text string) string {
	call := func(name string, f func(string) string) {
		for {
			before, rest, ok := strings.Cut(text, "$"+name+"(")
			if !ok {
				return
			}
			arg, after, _ := strings.Cut(rest, ")")
			text = before + f(arg) + after
		}
	}
	b64 := func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }
	call("PASS", d.s.smtp.Password)
	call("B64PLAIN", func(login string) string { return b64("\x00" + login + "\x00" + d.s.smtp.Password(login)) })
	call("B64PASS", func(login string) string { return b64(d.s.smtp.Password(login)) })
	call("B64", func(v string) string { return b64(strings.ReplaceAll(v, "^A", "\x01")) })
	return text
}

func (d *dialogue) send(raw string) {
	d.t.Helper()
	if _, err := io.WriteString(d.conn, raw); err != nil {
		d.fatal("%v", err)
	}
}

func (d *dialogue) expect(prefix string) {
	d.t.Helper()
	got, err := d.reply()
	if prefix == "EOF" {
		if err == nil {
			d.fatal("got %q, not the end", got)
		}
		return
	}
	if err != nil || !strings.HasPrefix(got, prefix) {
		d.fatal("got %q, %v", got, err)
	}
}

// reply reads one reply; its lines are joined by |.
func (d *dialogue) reply() (string, error) {
	var lines []string
	for {
		line, err := d.br.ReadString('\n')
		if err != nil {
			return strings.Join(lines, "|"), err
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok || len(text) < 3 {
			return line, errors.New("no reply line")
		}
		if lines = append(lines, text); len(text) == 3 || text[3] != '-' {
			return strings.Join(lines, "|"), nil
		}
	}
}
