package fallback

import (
	"bytes"
	"context"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/postino-mail/postino/adapters"
)

func TestSourceAddress(t *testing.T) {
	t.Parallel()
	from := make(chan string, 1)
	k := newSink(t, func(c *sinkConn, line string) bool {
		if strings.HasPrefix(line, "EHLO") {
			from <- c.RemoteAddr().(*net.TCPAddr).IP.String()
		}
		return false
	})
	bound := func(c *adapters.Connection) { SettingsOf(c).SourceAddress = "127.0.0.1" }
	if err := k.adapter(t, Options{}, bound).Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-from; got != "127.0.0.1" {
		t.Errorf("came from %s", got)
	}
	err := k.adapter(t, Options{}, func(c *adapters.Connection) { SettingsOf(c).SourceAddress = "192.0.2.99" }).Probe(t.Context())
	if describe(err) != "transient source_address scope=connection" {
		t.Errorf("%v", err)
	}
	_, err = New(&adapters.Connection{Provider: adapters.SMTP, Settings: &Settings{Host: "x", SourceAddress: "127.0.0.1"}},
		Options{Dialer: (&net.Dialer{}).DialContext})
	if describe(err) != "auth config scope=connection" {
		t.Errorf("%v", err)
	}
}

func TestDialer(t *testing.T) {
	t.Parallel()
	k := newSink(t, nil)
	var asked string
	a := k.adapter(t, Options{Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = addr
		var d net.Dialer
		return d.DialContext(ctx, network, k.ln.Addr().String())
	}}, func(c *adapters.Connection) { SettingsOf(c).Host, SettingsOf(c).Port = "smtp.bücher.example", 0 })
	if err := a.Probe(t.Context()); err != nil || asked != "smtp.xn--bcher-kva.example:25" {
		t.Errorf("dialled %q: %v", asked, err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	k := newSink(t, nil)
	a := k.adapter(t, Options{}, nil)
	k.close()
	if _, err := a.Send(t.Context(), outgoing(bigMessage(t, 100), "b@example.com")); describe(err) != "transient connection_refused "+
		"scope=connection" {
		t.Errorf("%v", err)
	}
}

func TestSilentServer(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, no one speaks
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	a, err := New(&adapters.Connection{Provider: adapters.SMTP, From: "a@example.com",
		Settings: &Settings{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Encryption: "starttls"}},
		Options{Timeouts: Timeouts{Greeting: 30 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Probe(t.Context()); describe(err) != "transient no_greeting scope=connection" ||
		!strings.Contains(adapters.AsError(err).Hint.String(), "tls") {
		t.Errorf("%v", err)
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	conn := func(file string) *adapters.Connection {
		return &adapters.Connection{Provider: adapters.SMTP, From: "a@example.com",
			Settings: &Settings{Host: "127.0.0.1", Encryption: "tls", CAFile: file}}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{empty, filepath.Join(t.TempDir(), "none.pem")} {
		if _, err := New(conn(f), Options{}); describe(err) != "auth config scope=connection" {
			t.Errorf("%s: %v", f, err)
		}
	}
	for _, roots := range []bool{false, true} { // in addition to the system's store, and to given roots
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sc := &script{name: "ca", conns: [][]step{{{1, '!', "tls"}, {2, 'S', "220 hi"}, {3, 'C', "EHLO *"}, {4, 'S', "250 hi"}, {5, 'C', "NOOP"},
			{6, 'S', "250 ok"}, {7, 'C', "QUIT"}, {8, 'S', "221 bye"}}}}
		sv := &scripted{script: sc, ln: ln, tls: ca.server(t, "good"), done: make(chan error, 1)}
		go sv.serve()
		c := conn(ca.file(t))
		SettingsOf(c).Port = ln.Addr().(*net.TCPAddr).Port
		opt := Options{}
		if roots {
			opt.RootCAs = newAuthority(t).pool()
		}
		a, err := New(c, opt)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Probe(t.Context()); err != nil {
			t.Errorf("given roots %v: %v", roots, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		_ = ln.Close()
		if err := <-sv.done; err != nil {
			t.Error(err)
		}
	}
}

// SCRAM against the server side of another implementation of the exchange:
// right, wrong, and a server that does not know the password itself.
func TestSCRAM(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256"} {
		for _, c := range []struct {
			knows string // the password that the server has
			lies  bool   // and says 235 whatever was proved
			want  string
		}{
			{password, false, "accepted"}, {"another", false, "auth 535 5.7.8 scope=connection"}, {"another", true, "auth sasl scope=connection"},
		} {
			t.Run(name+" "+c.want, func(t *testing.T) {
				t.Parallel()
				k := newSink(t, scramServer(t, name, c.knows, c.lies), "AUTH PLAIN LOGIN CRAM-MD5 "+name)
				err := k.adapter(t, Options{}, func(conn *adapters.Connection) {
					SettingsOf(conn).Login, SettingsOf(conn).Password = "a@example.com", password
				}).Probe(t.Context())
				if describe(err) != c.want {
					t.Errorf("%v, want %s", err, c.want)
				}
			})
		}
	}
}

func scramServer(t *testing.T, name, knows string, lies bool) func(*sinkConn, string) bool {
	hash := scram.SHA1
	if name == "SCRAM-SHA-256" {
		hash = scram.SHA256
	}
	client, err := hash.NewClient("a@example.com", knows, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := hash.NewServer(func(string) (scram.StoredCredentials, error) {
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "0123456789abcdef", Iters: 4096})
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *sinkConn, line string) bool {
		mech, first, ok := strings.Cut(strings.TrimPrefix(line, "AUTH "), " ")
		if !ok || mech != name {
			return false
		}
		conv := server.NewConversation()
		challenge := decode64(first)
		for !conv.Done() {
			out, err := conv.Step(challenge)
			if err != nil && !lies {
				_, _ = c.w.WriteString("535 5.7.8 no\r\n")
				return true
			}
			if err != nil {
				break
			}
			_, _ = c.w.WriteString("334 " + encodeResponse([]byte(out)) + "\r\n")
			_ = c.w.Flush()
			answer, err := c.r.ReadString('\n')
			if err != nil {
				return true
			}
			challenge = decode64(strings.TrimRight(answer, "\r\n"))
		}
		_, _ = c.w.WriteString("235 2.7.0 ok\r\n")
		return true
	}
}

func decode64(s string) string {
	b := make([]byte, len(s))
	n, err := base64.StdEncoding.Decode(b, []byte(s))
	if err != nil {
		return ""
	}
	return string(bytes.Clone(b[:n]))
}
