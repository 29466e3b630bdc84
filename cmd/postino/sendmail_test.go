package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"

	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

const shop = "shop@contoso.example"

// A machine is one on which /usr/sbin/sendmail is postino: the real program,
// a sandbox behind its server, and the environment of those who call it.
type machine struct {
	t        *testing.T
	sandbox  *sandbox.Sandbox
	data     string
	maildrop string
	sendmail string // link to the program
	smtp     string // address of the server, once it runs
	seen     int    // deliveries looked at
	env      []string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	for _, peer := range []string{"php", "s-nail", "git", "bsd-mailx"} {
		if _, err := exec.LookPath(peer); err != nil {
			t.Fatalf("%s is missing (.ci/run installs it): %v", peer, err)
		}
	}
	dir := t.TempDir()
	m := &machine{t: t, data: filepath.Join(dir, "data"), maildrop: filepath.Join(dir, "maildrop"), sendmail: filepath.Join(dir, "sendmail")}
	if err := os.Mkdir(m.maildrop, 0o700); err != nil { // as the server does at its first start
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "postino")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var err error
	if m.sandbox, err = sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: filepath.Join(dir, "sandbox")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	st, err := app.OpenStore(t.Context(), app.Storage{Data: m.data}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, perr := st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *m.sandbox.GraphConnection(shop)})
	if err := errors.Join(perr, st.Close(), os.Symlink(binary, m.sendmail)); err != nil {
		t.Fatal(err)
	}
	return m
}

// serve starts the server; it listens where the clients of before looked for it.
func (m *machine) serve() {
	m.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan app.Addresses, 1), make(chan error, 1)
	getenv := func(name string) string {
		if name == "POSTINO_MAILDROP" {
			return m.maildrop
		}
		return ""
	}
	go func() {
		done <- app.Serve(ctx, app.ServeOptions{Data: m.data, SMTP: []string{"127.0.0.1:0"}, HTTP: "127.0.0.1:0", CAFile: m.sandbox.CAFile(),
			Stderr: io.Discard,
			Getenv: getenv, Ready: func(a app.Addresses) { ready <- a }})
	}()
	select {
	case a := <-ready:
		m.smtp = a.SMTP[0]
	case err := <-done:
		stop()
		m.t.Fatalf("serve: %v", err)
	}
	m.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			m.t.Errorf("serve: %v", err)
		}
	})
}

// call runs a program that sends mail and returns its exit code.
func (m *machine) call(stdin string, name string, args ...string) (code int, out string) {
	m.t.Helper()
	smtp := m.smtp
	if smtp == "" {
		smtp = "127.0.0.1:1" // no one
	}
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "POSTINO_SMTP="+smtp, "POSTINO_DATA="+m.data, "POSTINO_MAILDROP="+m.maildrop, "POSTINO_LANG=en",
		"MAILRC=/dev/null", "LC_ALL=C.UTF-8")
	cmd.Env = append(cmd.Env, m.env...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("%s: %v", name, err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// php calls mail() with sendmail_path as an administrator sets it.
func (m *machine) php(script string) (int, string) {
	m.t.Helper()
	return m.call("", "php", "-d", "sendmail_path="+m.sendmail+" -t -i", "-d", "mail.add_x_header=Off", "-r", script)
}

// next waits for the next delivery and reads it.
func (m *machine) next() (sandbox.Delivery, *mail.Reader) {
	m.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		if all := m.sandbox.DeliveriesSince(m.seen); len(all) > 0 {
			m.seen = all[0].Seq
			rc, err := m.sandbox.OpenShown(all[0])
			if err != nil {
				m.t.Fatal(err)
			}
			defer rc.Close()
			raw, err := io.ReadAll(rc)
			if err != nil {
				m.t.Fatal(err)
			}
			r, err := mail.CreateReader(bytes.NewReader(raw))
			if err != nil {
				m.t.Fatalf("%v:\n%s", err, raw)
			}
			return all[0], r
		}
		select {
		case <-tick.C:
		case <-late:
			m.t.Fatal("nothing arrived")
		}
	}
}

// wantMail compares what a recipient got.
func (m *machine) wantMail(subject, text string, rcpts ...string) *mail.Reader {
	m.t.Helper()
	d, r := m.next()
	part, err := r.NextPart()
	if err != nil {
		m.t.Fatal(err)
	}
	body, err := io.ReadAll(part.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	if got := strings.ReplaceAll(string(body), "\r\n", "\n"); d.Subject != subject || got != text || !slices.Equal(d.Recipients, rcpts) ||
		r.Header.Get("Bcc") != "" || d.From == "" {
		m.t.Errorf("arrived %+v\n%q, want %q %q for %v", d, got, subject, text, rcpts)
	}
	return r
}

// PHP's mail() and s-nail hand over through the sendmail command, as on the
// machines that have no other way.
func TestSendmailPeers(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("real programs run with POSTINO_PEERS=1 only")
	}
	m := newMachine(t)
	const text = "Così è.\n.\n..due punti\nFrom qui\n"
	quoted := strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", `\n`) // PHP adds the last line end
	mailPHP := fmt.Sprintf(`exit(mail("anna@example.com, Bruno <bruno@example.com>",
		"=?UTF-8?B?".base64_encode("Fattura n° 42 – però")."?=", "%s",
		["From" => "Negozio <%s>", "Bcc" => "hidden@example.com", "Content-Type" => "text/plain; charset=UTF-8",
		"Content-Transfer-Encoding" => "8bit"]) ? 0 : 1);`, quoted, shop)

	// The server is down: the message is kept, and the program is told that all is well.
	if code, out := m.php(mailPHP); code != 0 {
		t.Fatalf("PHP with the server down: exit %d: %s", code, out)
	}
	if left, err := os.ReadDir(m.maildrop); err != nil || len(left) != 1 {
		t.Fatalf("in the maildrop: %v, %v", left, err)
	}
	m.serve()
	everybody := []string{"anna@example.com", "bruno@example.com", "hidden@example.com"}
	m.wantMail("Fattura n° 42 – però", text, everybody...)

	// The server is up.
	if code, out := m.php(mailPHP); code != 0 {
		t.Errorf("PHP: exit %d: %s", code, out)
	}
	m.wantMail("Fattura n° 42 – però", text, everybody...)

	// The fifth parameter of mail(), as web shops use it.
	order := fmt.Sprintf(`exit(mail("anna@example.com", "Ordine", "uno\r\ndue",
		"From: %s\r\nReply-To: ordini@contoso.example", "-f%s") ? 0 : 1);`, shop, shop)
	if code, out := m.php(order); code != 0 {
		t.Errorf("PHP with -f: exit %d: %s", code, out)
	}
	if r := m.wantMail("Ordine", "uno\ndue\n", "anna@example.com"); !strings.Contains(r.Header.Get("Reply-To"), "ordini@contoso.example") {
		t.Errorf("Reply-To: %s", r.Header.Get("Reply-To"))
	}

	// What is refused comes back to the program.
	if code, out := m.php(`exit(mail("anna@example.com", "x", "x", "From: boss@elsewhere.example") ? 0 : 1);`); code != 1 ||
		!strings.Contains(out, "no connection sends mail from boss@elsewhere.example") {
		t.Errorf("a sender without a connection: exit %d: %s", code, out)
	}

	// s-nail: several recipients of each kind and a file.
	file := filepath.Join(t.TempDir(), "perché.bin")
	content := bytes.Repeat([]byte{0, '\r', '.', '\n', 0xff}, 50_000)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := m.call(text, "s-nail", "-n", "-S", "v15-compat", "-S", "mta="+m.sendmail, "-S", "ttycharset=utf-8", "-S", "sendwait", "-r",
		shop, "-s", "Disegni – più", "-a", file,
		"-c", "bruno@example.com", "-b", "hidden@example.com", "anna@example.com")
	if code != 0 {
		t.Fatalf("s-nail: exit %d: %s", code, out)
	}
	r := m.wantMail("Disegni – più", text, everybody...)
	part, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	h, ok := part.Header.(*mail.AttachmentHeader)
	if !ok {
		t.Fatalf("the file arrived as %T", part.Header)
	}
	name, nerr := h.Filename()
	got, rerr := io.ReadAll(part.Body)
	if nerr != nil || rerr != nil || name != "perché.bin" || !bytes.Equal(got, content) {
		t.Errorf("the file arrived as %q, %d octets, %v %v", name, len(got), nerr, rerr)
	}
	if code, out := m.call("x\n", "s-nail", "-n", "-S", "mta="+m.sendmail, "-S", "sendwait", "-r", "boss@elsewhere.example", "-s", "x",
		"anna@example.com"); code == 0 {
		t.Errorf("s-nail was not told of a refusal: %s", out)
	}
	if rest := m.sandbox.DeliveriesSince(m.seen); len(rest) > 0 {
		t.Errorf("arrived beside what was sent: %+v", rest)
	}
}
