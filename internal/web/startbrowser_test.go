package web

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
)

// Senders of the three kinds of connection.
const (
	graphSender = "erp@contoso.example"
	gmailSender = "negozio@contoso.example"
	smtpSender  = "scanner@contoso.example"
)

// A program is the built `postino serve`, with providers that are a sandbox.
type program struct {
	t                 *testing.T
	sandbox           *sandbox.Sandbox
	smtp, page, setup string // addresses: of SMTP, of the page, and the path of the first start
}

// startProgram runs the program until the test ends.
func startProgram(t *testing.T, binary string) *program {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &program{t: t, sandbox: sb}
	cmd := exec.Command(binary, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--ca-file", sb.CAFile())
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that has ended says so to Wait
		late := time.AfterFunc(40*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v", err)
		}
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); t.Failed() || err != nil {
			t.Logf("%s %v", said, err)
		}
	})
	for lines := bufio.NewScanner(out); p.setup == "" && lines.Scan(); {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "smtp":
			p.smtp = rest
		case "http":
			p.page = "http://" + rest
		case "setup":
			p.setup = strings.TrimPrefix(rest, p.page)
		}
	}
	if p.smtp == "" || !strings.HasPrefix(p.setup, "/setup/") {
		t.Fatalf("the server does not say where it listens: %+v", p)
	}
	return p
}

// submit hands over a message by SMTP, as a program of this machine does.
func (p *program) submit(subject string) {
	p.t.Helper()
	c, err := smtp.Dial(p.smtp)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	err = errors.Join(c.Mail(graphSender), c.Rcpt("anna@fabrikam.example"))
	if err != nil {
		p.t.Fatal(err)
	}
	w, err := c.Data()
	if err == nil {
		_, err = fmt.Fprintf(w, "From: %s\r\nTo: anna@fabrikam.example\r\nSubject: %s\r\n\r\nBuongiorno\r\n", graphSender, subject)
	}
	if err == nil {
		err = errors.Join(w.Close(), c.Quit())
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// sent are the services at which a message with a subject arrived.
func (p *program) sent(subject string) (services []string) {
	p.t.Helper()
	for _, d := range p.sandbox.Deliveries() {
		if d.Subject == subject {
			services = append(services, d.Service)
		}
	}
	return services
}

// The whole way of a new administrator, in the built program: the link of the first
// start, a connection of each kind, each tested with a wrong secret and with the right
// one before it is stored, the default, a test message, mail that is found, and sent once
// more through another connection.
func startFlow(t *testing.T, c *chrome) {
	binary := filepath.Join(t.TempDir(), "postino")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/postino").CombinedOutput(); err != nil {
		t.Fatalf("the program does not build: %v\n%s", err, out)
	}
	withAndWithoutScript(t, func(t *testing.T, script bool) {
		p := startProgram(t, binary)
		b := c.tab(t, p.page)
		b.desk(script)
		b.open(p.setup)
		b.sees("Primo avvio")
		b.fill("Indirizzo email", testAdmin)
		b.fill("Password", testPassword)
		b.fill("Ripeti la password", testPassword)
		b.press("Crea")
		b.sees("Nuova connessione")

		b.press("SMTP")
		b.connect(p.sandbox.SMTPConnection(smtpSender), script)
		b.open("/connections/new")
		b.press("Google Workspace")
		b.connect(p.sandbox.GmailConnection(gmailSender), script)
		b.open("/connections/new")
		b.press("Microsoft 365")
		b.connectByCertificate(p, script)

		b.press("Rendi predefinita")
		b.sees("Ora la connessione è la predefinita.")
		b.press("Invia prova")
		b.fill("Destinatario", "anna@fabrikam.example")
		b.act("Invia prova", script)
		b.sees("La connessione funziona.", "nella posta inviata della casella")
		b.picture("send-test", script)
		if n := len(p.sandbox.Deliveries()); n != 1 {
			t.Errorf("%d messages were sent as a test", n)
		}

		b.press("Apri il messaggio")
		b.sees("Che cosa è successo", "Sandbox Graph")
		b.becomes("/mail?q=tag:test", "anna@fabrikam.example")
		p.submit("Fattura 12")
		b.becomes("/mail?q=fattura", "Inviato")
		b.press("Fattura 12")
		b.sees("Che cosa è successo", "Sandbox Graph")
		b.press("Rinvia")
		b.fill("Connessione", "Sandbox SMTP")
		b.press("Rinvia")
		b.sees("Rinviato: questo è il messaggio nuovo.")
		b.becomes(b.at(), "Inviato")
		b.picture("message-sent", script)
		b.sees("Sandbox SMTP")
		if got := fmt.Sprint(p.sent("Fattura 12")); got != "[graph smtp]" {
			t.Errorf("the message left through %s", got)
		}
		b.press("Esci")
		b.sees("Sei uscito.")
		b.open(p.setup) // good once
		b.hides("Primo avvio")
	})
}

// act presses a button with an answer that a script shows in the page.
func (b *tab) act(name string, script bool) {
	b.t.Helper()
	if script {
		b.tap(name)
	} else {
		b.press(name)
	}
}

// picture takes one of a step of a flow.
func (b *tab) picture(name string, script bool) {
	b.t.Helper()
	b.shot(fmt.Sprintf("flow-%s-%s", name, map[bool]string{true: "script", false: "no-script"}[script]))
}

// becomes opens a path again until a text is shown.
func (b *tab) becomes(path, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q is shown", text), func() bool {
		b.open(path)
		return strings.Contains(b.text(), text)
	})
}

// settingsOf are the fields of a connection by their names on the page; secret is the
// name of the last.
func settingsOf(c *adapters.Connection) (fields [][2]string, secret string) {
	switch s := c.Settings.(type) {
	case *graph.Settings:
		return [][2]string{{"Tenant", s.Tenant}, {"ID client", s.ClientID}, {"Indirizzo del servizio di accesso", s.AuthorityURL},
			{"Indirizzo di Graph", s.GraphURL}, {"Segreto client", s.ClientSecret.Reveal()}}, "Segreto client"
	case *gmail.Settings:
		return [][2]string{{"Indirizzo di Gmail", s.GmailURL}, {"Indirizzo che rilascia i token", s.TokenURL},
			{"Account di servizio", s.ServiceAccountJSON.Reveal()}}, "Account di servizio"
	case *fallback.Settings:
		return [][2]string{{"Server", s.Host}, {"Porta", fmt.Sprint(s.Port)}, {"Crittografia", string(s.EffectiveEncryption())},
			{"SMTP Login", s.Login}, {"SMTP Password", s.Password.Reveal()}}, "SMTP Password"
	}
	return nil, ""
}

// typeConnection fills the form of a new connection, with a wrong secret, and tests it.
func (b *tab) typeConnection(c *adapters.Connection, script bool) (fields [][2]string, secret string) {
	b.t.Helper()
	fields, secret = settingsOf(c)
	b.fill("Nome connessione", c.Name)
	b.fill("Email mittente", c.From)
	for _, f := range fields {
		b.fill(f[0], f[1])
	}
	wrong := "sbagliato"
	if secret == "Account di servizio" { // the key of another one
		wrong = strings.Replace(fields[len(fields)-1][1], "BEGIN PRIVATE KEY-----\\nM", "BEGIN PRIVATE KEY-----\\nX", 1)
	}
	b.fill(secret, wrong)
	b.act("Verifica connessione", script)
	b.sees("La connessione non funziona ancora.", "FALLITA")
	b.check("a wrong secret")
	b.picture("refused-"+string(c.Provider), script)
	return fields, secret
}

// connect makes a connection in its form.
func (b *tab) connect(c *adapters.Connection, script bool) {
	b.t.Helper()
	fields, secret := b.typeConnection(c, script)
	b.fill(secret, fields[len(fields)-1][1])
	b.act("Verifica connessione", script)
	b.sees("La connessione funziona.")
	if b.value("Nome connessione") != c.Name {
		b.t.Errorf("the form has forgotten what was typed: %q", b.value("Nome connessione"))
	}
	b.fill(secret, fields[len(fields)-1][1]) // without script the page has forgotten it, as it must
	b.press("Salva")
	b.sees(c.Name, "La connessione è stata creata.")
}

// inScript is the certificate in the script for Microsoft Entra.
var inScript = regexp.MustCompile(`(?s)FromBase64String\(@'\n(.*?)\n'@`)

// connectByCertificate makes a connection to Graph with a certificate that postino makes.
func (b *tab) connectByCertificate(p *program, script bool) {
	b.t.Helper()
	c := p.sandbox.GraphConnection(graphSender)
	_, secret := b.typeConnection(c, script)
	b.fill(secret, "")
	b.press("Salva")
	b.sees(c.Name, "creata con un certificato ed è disattivata", "In uso")
	b.picture("certificate", script)
	b.hides("Verifica e usa il certificato") // that is for one that waits
	b.act("Verifica connessione", script)    // before the script was run
	b.sees("La connessione non funziona ancora.", "Caricare il certificato pubblico")
	b.open("/connections")
	b.press(c.Name)
	b.uploadCertificate(p)
	b.act("Verifica connessione", script)
	b.sees("La connessione funziona.")
	if !script {
		b.press("Indietro")
	}
	b.press("Attiva")
	b.sees("La connessione è attiva.")

	b.press("Crea un certificato") // the next one takes over when it is known there
	b.sees("Il certificato è stato creato.", "In attesa di entrare in uso")
	b.press("Verifica e usa il certificato")
	b.hides("Il certificato è in uso.")
	b.open("/connections")
	b.press(c.Name)
	b.uploadCertificate(p)
	b.press("Verifica e usa il certificato")
	b.sees("Il certificato è in uso.")
	b.hides("In attesa di entrare in uso")
}

// uploadCertificate does what the script for Microsoft Entra does.
func (b *tab) uploadCertificate(p *program) {
	b.t.Helper()
	found := inScript.FindStringSubmatch(b.value("Script per Microsoft Entra"))
	if found == nil {
		b.t.Fatalf("the script has no certificate: %s", b.value("Script per Microsoft Entra"))
	}
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(found[1], "\n", ""))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := p.sandbox.UploadCertificate(der); err != nil {
		b.t.Fatal(err)
	}
}
