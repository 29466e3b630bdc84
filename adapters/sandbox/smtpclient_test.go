package sandbox

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/xdg-go/scram"

	"github.com/postino-mail/postino/adapters/sandbox/google"
	"github.com/postino-mail/postino/fallback"
)

// dialPlain opens the port without TLS and says EHLO.
func dialPlain(t testing.TB, s *Sandbox) *dialogue {
	t.Helper()
	d := &dialogue{t: t, s: s, at: t.Name()}
	d.dial("plain")
	d.expect("220")
	d.send("EHLO client.example\r\n")
	d.expect("250")
	return d
}

func (d *dialogue) ask(line string) string {
	d.t.Helper()
	d.send(line + "\r\n")
	got, err := d.reply()
	if err != nil {
		d.fatal("%s: %v", line, err)
	}
	return got
}

// TestSMTPConnections: what the connections say is what the server takes, by
// independent clients.
func TestSMTPConnections(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := s.SMTPConnection("erp@contoso.example")
	for _, v := range s.Connections("erp@contoso.example") {
		if err := v.Validate(); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	cfg := &tls.Config{RootCAs: s.CertPool(), ServerName: fallback.SettingsOf(c).Host, MinVersion: tls.VersionTLS12}
	cl, err := smtp.Dial(fallback.SettingsOf(c).Address())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.StartTLS(cfg); err != nil {
		t.Fatal(err)
	}
	set := fallback.SettingsOf(c)
	if err := cl.Auth(smtp.PlainAuth("", set.Login, set.Password.Reveal(), set.Host)); err != nil {
		t.Fatal(err)
	}
	if err := cl.Mail(c.From); err != nil {
		t.Fatal(err)
	}
	if err := cl.Rcpt("anna@example.com"); err != nil {
		t.Fatal(err)
	}
	w, err := cl.Data()
	if err == nil {
		_, err = io.WriteString(w, "From: erp@contoso.example\nBcc: seen@example.com\n\n.dot\n")
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	d := s.Deliveries()[0]
	if d.Mailbox != "erp@contoso.example" || d.EnvelopeFrom != "erp@contoso.example" || strings.Join(d.Recipients, " ") != "anna@example.com" {
		t.Errorf("%+v", d)
	}
	// contracts F3: SMTP hides no Bcc.
	if shown := readAll(t, s.OpenShown, d); shown != "From: erp@contoso.example\r\nBcc: seen@example.com\r\n\r\n.dot\r\n" {
		t.Errorf("%q", shown)
	}

	_, implicit, _ := s.SMTPPorts()
	tc, err := gosmtp.DialTLS(net.JoinHostPort("127.0.0.1", strconv.Itoa(implicit)), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	if err := tc.Auth(sasl.NewLoginClient(fallback.SettingsOf(c).Login, fallback.SettingsOf(c).Password.Reveal())); err != nil {
		t.Fatal(err)
	}
	if err := tc.SendMail(c.From, []string{"bob@example.com"}, strings.NewReader("Subject: x\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	if v := s.SMTPViolations(); len(v) > 0 || len(s.Deliveries()) != 2 {
		t.Errorf("%q", v)
	}
}

func TestSMTPCramMD5(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	d := dialPlain(t, s)
	for _, password := range []string{"wrong", s.smtp.Password("erp@contoso.example")} {
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(d.ask("AUTH CRAM-MD5"), "334 "))
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(md5.New, []byte(password))
		mac.Write(challenge)
		got := d.ask(base64.StdEncoding.EncodeToString([]byte("erp@contoso.example " + hex.EncodeToString(mac.Sum(nil)))))
		if want := map[bool]string{true: "535", false: "235"}[password == "wrong"]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", password, got)
		}
	}
}

func TestSMTPScram(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	for name, hash := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256} {
		for _, inline := range []bool{true, false} {
			for _, password := range []string{"wrong", s.smtp.Password("erp@contoso.example")} {
				d := dialPlain(t, s)
				client, err := hash.NewClient("erp@contoso.example", password, "")
				if err != nil {
					t.Fatal(err)
				}
				conv := client.NewConversation()
				step := func(challenge string) string {
					text, err := conv.Step(challenge)
					if err != nil {
						t.Fatal(err)
					}
					return base64.StdEncoding.EncodeToString([]byte(text))
				}
				var got string
				if first := step(""); inline {
					got = d.ask("AUTH " + name + " " + first)
				} else if got = d.ask("AUTH " + name); got == "334 " {
					got = d.ask(first)
				}
				for strings.HasPrefix(got, "334 ") {
					challenge, err := base64.StdEncoding.DecodeString(got[4:])
					if err != nil {
						t.Fatal(err)
					}
					got = d.ask(step(string(challenge)))
				}
				if password == "wrong" != strings.HasPrefix(got, "535") || password != "wrong" && (!strings.HasPrefix(got, "235") || !conv.Valid()) {
					t.Errorf("%s inline %v: %s", name, inline, got)
				}
			}
		}
	}
}

// TestSMTPTokens is contracts D1-D3: which tokens open which mailbox.
func TestSMTPTokens(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	const box = "erp@contoso.example"
	entra, graph := token(t, s, OutlookResource), token(t, s, GraphResource)
	mailScope, sendScope := gmailToken(t, s, box, google.ScopeMail), gmailToken(t, s, box, google.ScopeSend)
	for _, c := range []struct {
		style, user, token, want string
	}{
		{"plain", box, entra, "235"},
		{"plain", "sales@contoso.example", entra, "235"}, // the application may use every mailbox
		{"plain", "noaccess@contoso.example", entra, "535"},
		{"plain", box, graph, "535"},
		{"plain", box, mailScope, "235"},
		{"plain", "sales@contoso.example", mailScope, "535"},
		{"plain", box, sendScope, "535"},
		{"exchange", box, entra, "235 2.7.0 Authentication successful"},
		{"exchange", box, mailScope, "535 5.7.3"},
		{"gmail", box, mailScope, "235 2.7.0 Accepted"},
		{"gmail", box, entra, "535-5.7.8"},
	} {
		s.Configure(func(sw *Switches) { sw.SMTPStyle = c.style })
		for _, mech := range []string{"XOAUTH2", "OAUTHBEARER"} {
			if mech == "OAUTHBEARER" && c.style == "exchange" {
				continue
			}
			text, failure := fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", c.user, c.token), ""
			if mech == "OAUTHBEARER" {
				text, failure = fmt.Sprintf("n,a=%s,\x01host=127.0.0.1\x01auth=Bearer %s\x01\x01", c.user, c.token), "AQ=="
			}
			d := dialPlain(t, s)
			d.send("AUTH " + mech + "\r\n")
			d.expect("334 ")
			got := d.ask(base64.StdEncoding.EncodeToString([]byte(text)))
			if strings.HasPrefix(got, "334 ") {
				got = d.ask(failure)
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("%+v %s: %s", c, mech, got)
			}
		}
	}
	if v := s.SMTPViolations(); len(v) > 0 {
		t.Errorf("%q", v)
	}
}

func TestSMTPRecipientLimit(t *testing.T) {
	t.Parallel()
	for style, limit := range map[string]int{"plain": 100, "gmail": 100, "exchange": 500} {
		s := startSandbox(t)
		s.Configure(func(sw *Switches) { sw.SMTPStyle, sw.SMTPOpen = style, true })
		d := dialPlain(t, s)
		d.send("MAIL FROM:<a@b.example>\r\n")
		d.expect("250")
		for i := range limit {
			d.send(fmt.Sprintf("RCPT TO:<r%d@x.example>\r\n", i))
			d.expect("250")
		}
		d.send("RCPT TO:<last@x.example>\r\n")
		d.expect("452 4.5.3")
		d.send("BDAT 2 LAST\r\n\r\n")
		d.expect("250")
		if n := len(s.Deliveries()[0].Recipients); n != limit {
			t.Errorf("%s: %d recipients", style, n)
		}
	}
}

// TestSMTPGmailRewrites is contracts C5.1 and C5.5 by SMTP.
func TestSMTPGmailRewrites(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	s.Configure(func(sw *Switches) { sw.SMTPStyle = "gmail" })
	d := dialPlain(t, s)
	d.step("auth erp@contoso.example")
	d.send("MAIL FROM:<boss@contoso.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
	for _, want := range []string{"250", "250", "354"} {
		d.expect(want)
	}
	d.send("From: boss@contoso.example\r\nMessage-ID: <x>\r\n\r\n.\r\n")
	d.expect("250 2.0.0 OK  ")
	got := s.Deliveries()[0]
	if got.EnvelopeFrom != "erp@contoso.example" || got.From != "erp@contoso.example" || !strings.HasSuffix(got.MessageID, "@mx.google.com>") {
		t.Errorf("%+v", got)
	}
}

// TestSMTPLargeMessages: every byte arrives, whatever the lines.
func TestSMTPLargeMessages(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	s.Configure(func(sw *Switches) { sw.SMTPOpen = true })
	line := strings.Repeat("x", 997)
	for _, text := range []string{line + "y\r\n", ".\r\n", "..\r\n", "\r\n", "short\r\n"} {
		msg := "Subject: x\r\n\r\n" + strings.Repeat(text, 300<<10/len(text))
		d := dialPlain(t, s)
		d.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
		for _, want := range []string{"250", "250", "354"} {
			d.expect(want)
		}
		d.send(strings.ReplaceAll(msg, "\r\n.", "\r\n..") + ".\r\n")
		d.expect("250")
		all := s.Deliveries()
		if got := readAll(t, s.Open, all[len(all)-1]); got != msg {
			t.Errorf("%q: %d bytes came as %d", text[:1], len(msg), len(got))
		}
	}
	for _, bad := range []string{line + "yz\r\n", strings.Repeat("x", 200<<10) + "\r\n"} {
		d := dialPlain(t, s)
		d.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
		for _, want := range []string{"250", "250", "354"} {
			d.expect(want)
		}
		d.send("Subject: x\r\n\r\n" + bad + ".\r\n")
		d.expect("550 5.6.0 message contains a line of more than 998")
	}
}

// TestSMTPHeaderTooLarge: refused after the whole message was read.
func TestSMTPHeaderTooLarge(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	s.Configure(func(sw *Switches) { sw.SMTPOpen = true })
	d := dialPlain(t, s)
	for _, bdat := range []bool{false, true} {
		head := strings.Repeat("X-A: "+strings.Repeat("a", 90)+"\r\n", 12000)
		d.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
		d.expect("250")
		d.expect("250")
		if bdat {
			d.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(head), head))
		} else {
			d.send("DATA\r\n")
			d.expect("354")
			d.send(head + "\r\n.\r\n")
		}
		d.expect("552 5.3.4 Message header")
	}
	d.send("NOOP\r\n")
	d.expect("250")
}

// TestSMTPClose: sessions in every state end with the sandbox.
func TestSMTPClose(t *testing.T) {
	t.Parallel()
	s, err := Start(Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Configure(func(sw *Switches) { sw.SMTPOpen = true })
	idle, inData, inBdat, inAuth := dialPlain(t, s), dialPlain(t, s), dialPlain(t, s), dialPlain(t, s)
	for _, d := range []*dialogue{inData, inBdat} {
		d.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
		d.expect("250")
		d.expect("250")
	}
	inData.send("DATA\r\n")
	inData.expect("354")
	inData.send("Subject: x\r\n\r\nhalf")
	inBdat.send("BDAT 3\r\nx\r\n")
	inBdat.expect("250")
	inAuth.send("AUTH LOGIN\r\n")
	inAuth.expect("334")
	s.Inject(Fault{Service: "smtp", Op: "noop", Delay: 1 << 40})
	idle.send("NOOP\r\n")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, d := range []*dialogue{idle, inData, inBdat, inAuth} {
		d.expect("EOF")
	}
}
