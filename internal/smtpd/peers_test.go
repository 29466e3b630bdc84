package smtpd_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

const (
	peerSubject = "Fattura n° 42 – perché la qualità è già qui"
	peerTo      = "niccolo.pero@fabrikam.example"
	peerBcc     = "archivio@contoso.example"
)

// A program is the whole program between the SMTP listener and a sandbox.
type program struct {
	t       *testing.T
	sandbox *sandbox.Sandbox
	host    string
	port    string
	dir     string // scratch
	pdf     string // 10 MB
	sum     [sha256.Size]byte
	eml     map[string]string // a whole message, by sender
}

// The routes by the sender that leads there.
func routes(s *sandbox.Sandbox) map[string]*adapters.Connection {
	return map[string]*adapters.Connection{"graph@contoso.example": s.GraphConnection("graph@contoso.example"),
		"gmail@contoso.example": s.GmailConnection("gmail@contoso.example"), "smtp@contoso.example": s.SMTPConnection("smtp@contoso.example")}
}

func startGateway(t *testing.T) *program {
	t.Helper()
	s, err := sandbox.Start(sandbox.Options{AnyMailbox: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &program{t: t, sandbox: s, dir: t.TempDir(), eml: map[string]string{}}
	data := t.TempDir()
	st, err := app.OpenStore(t.Context(), app.Storage{Data: data}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range routes(s) {
		if _, err := st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	g.files()
	at := serve(t, app.ServeOptions{Data: data, CAFile: s.CAFile()})
	if g.host, g.port, err = net.SplitHostPort(at.SMTP[0]); err != nil {
		t.Fatal(err)
	}
	return g
}

// serve runs the program until the test is over.
func serve(t *testing.T, o app.ServeOptions) app.Addresses {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan app.Addresses, 1), make(chan error, 1)
	o.SMTP, o.HTTP, o.Stderr = []string{"127.0.0.1:0"}, "127.0.0.1:0", io.Discard
	o.Getenv, o.Ready = func(string) string { return "" }, func(a app.Addresses) { ready <- a }
	go func() { done <- app.Serve(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case a := <-ready:
		return a
	case err := <-done:
		done <- nil
		t.Fatalf("serve: %v", err)
	}
	return app.Addresses{}
}

// files makes the attachment, and for each sender a message for the clients
// that do not compose.
func (g *program) files() {
	pdf := make([]byte, 10<<20)
	r := rand.NewChaCha8([32]byte{42})
	_, _ = r.Read(pdf) // never fails
	g.sum = sha256.Sum256(pdf)
	g.pdf = g.write("fattura.pdf", pdf)
	for from := range routes(g.sandbox) {
		var b bytes.Buffer
		fmt.Fprintf(&b, "From: %s\r\nTo: =?UTF-8?Q?Niccol=C3=B2_Per=C3=B2?= <%s>\r\nBcc: %s\r\nSubject: =?UTF-8?B?%s?=\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"+
			"--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nPerché la qualità è già qui.\r\n"+
			"--a\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>Perché la <b>qualità</b> è già "+
			"qui.</p>\r\n--a--\r\n"+
			"--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; "+
			"filename*=UTF-8''Societ%%C3%%A0.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			from, peerTo, peerBcc, base64.StdEncoding.EncodeToString([]byte(peerSubject)))
		text := base64.StdEncoding.EncodeToString(pdf)
		for len(text) > 0 {
			n := min(76, len(text))
			b.WriteString(text[:n] + "\r\n")
			text = text[n:]
		}
		b.WriteString("--m--\r\n")
		g.eml[from] = g.write(from+".eml", b.Bytes())
	}
}

func (g *program) write(name string, b []byte) string {
	file := filepath.Join(g.dir, name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		g.t.Fatal(err)
	}
	return file
}

// A peer is a program that hands mail over; stdin may be empty.
type peer struct {
	name    string
	command func(g *program, from string) (args []string, stdin string)
	asks    []string // a command that fails where the peer is not installed
}

func peers() []peer {
	return []peer{
		{name: "swaks", command: func(g *program, from string) ([]string, string) {
			return []string{"swaks", "--server", g.host + ":" + g.port, "--from", from, "--to", peerTo + "," + peerBcc, "--data", "@" + g.eml[from],
				"--suppress-data"}, ""
		}},
		{name: "swaks over TLS", command: func(g *program, from string) ([]string, string) {
			return []string{"swaks", "--server", g.host + ":" + g.port, "-tls", "--from", from, "--to", peerTo + "," + peerBcc, "--data",
				"@" + g.eml[from], "--suppress-data"}, ""
		}},
		{name: "msmtp", command: func(g *program, from string) ([]string, string) {
			return []string{"msmtp", "--file=/dev/null", "--host=" + g.host, "--port=" + g.port, "--from=" + from, "--", peerTo, peerBcc},
				g.eml[from]
		}},
		{name: "s-nail", command: func(g *program, from string) ([]string, string) {
			return []string{"s-nail", "-:/", "-Sv15-compat", "-Smta=smtp://" + g.host + ":" + g.port, "-Ssmtp-auth=none", "-Sttycharset=UTF-8",
				"-Ssendwait",
				"-r", from, "-s", peerSubject, "-b", peerBcc, "-a", g.pdf, peerTo}, g.write("body.txt", []byte("Perché la qualità è già qui.\n"))
		}},
		{name: "curl", command: func(g *program, from string) ([]string, string) {
			return []string{"curl", "-sS", "--url", "smtp://" + g.host + ":" + g.port, "--mail-from", from, "--mail-rcpt", peerTo, "--mail-rcpt",
				peerBcc, "--upload-file", g.eml[from]}, ""
		}},
		{name: "Python smtplib", command: func(g *program, from string) ([]string, string) {
			return []string{"python3", "testdata/peers/send.py", g.host, g.port, from, peerTo, peerBcc, peerSubject, g.pdf}, ""
		}},
		{name: "Perl Net::SMTP", command: func(g *program, from string) ([]string, string) {
			return []string{"perl", "testdata/peers/send.pl", g.host, g.port, from, peerTo, peerBcc, g.eml[from]}, ""
		}},
		{name: "PHP mail over msmtp", command: func(g *program, from string) ([]string, string) {
			return []string{"php", "-d", "memory_limit=256M", "-d", "sendmail_path='msmtp --file=/dev/null --host=" + g.host + " --port=" + g.port +
				" --from=" + from + " -t'",
				"testdata/peers/send.php", from, peerTo, peerBcc, peerSubject, g.pdf}, ""
		}},
		{name: "nodemailer", asks: []string{"node", "-e", "require('nodemailer')"}, command: func(g *program, from string) ([]string, string) {
			return []string{"node", "testdata/peers/send.js", g.host, g.port, from, peerTo, peerBcc, peerSubject, g.pdf}, ""
		}},
	}
}

// TestPeers: every client that people use hands over a message with text, HTML,
// accents, a hidden recipient and 10 MB, and it arrives whole over each route.
func TestPeers(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("real clients: set POSTINO_PEERS=1")
	}
	g := startGateway(t)
	for _, p := range peers() {
		for from := range routes(g.sandbox) {
			t.Run(p.name+" to "+strings.TrimSuffix(from, "@contoso.example"), func(t *testing.T) {
				args, stdin := p.command(g, from)
				if _, err := exec.LookPath(args[0]); err != nil {
					t.Fatalf("not installed: %v", err)
				}
				if p.asks != nil {
					if out, err := exec.CommandContext(t.Context(), p.asks[0], p.asks[1:]...).CombinedOutput(); err != nil {
						t.Fatalf("not installed: %s", out[:min(len(out), 200)])
					}
				}
				seen := len(g.sandbox.Deliveries())
				c := exec.CommandContext(t.Context(), args[0], args[1:]...)
				if stdin != "" {
					f, err := os.Open(stdin)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					c.Stdin = f
				}
				if out, err := c.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out[max(0, len(out)-2000):])
				}
				g.arrived(t, seen)
			})
		}
	}
}

// arrived waits for one delivery and looks into it.
func (g *program) arrived(t *testing.T, seen int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(60 * time.Second)
	for len(g.sandbox.Deliveries()) <= seen {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nothing arrived")
		}
	}
	d := g.sandbox.Deliveries()[seen]
	if d.Subject != peerSubject {
		t.Errorf("subject %q", d.Subject)
	}
	if want := []string{peerBcc, peerTo}; !slices.Equal(d.Recipients, want) {
		t.Errorf("recipients %q, want %q", d.Recipients, want)
	}
	rc, err := g.sandbox.OpenShown(d)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	m, err := mail.CreateReader(rc)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Has("Bcc") {
		t.Error("recipients see Bcc")
	}
	text, attached := "", false
	for {
		p, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		attached = attached || sha256.Sum256(b) == g.sum
		if len(b) < 1000 {
			text += string(b)
		}
	}
	if !attached {
		t.Error("the attachment did not arrive whole")
	}
	if !strings.Contains(text, "è già qui.") {
		t.Errorf("text %q", text)
	}
}
