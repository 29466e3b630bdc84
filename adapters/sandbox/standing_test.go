package sandbox

import (
	"net/http"
	"net/smtp"
	"strings"
	"testing"
)

// Without a directory a mailbox is what a connection was asked for, and it sends as
// itself; with AnyMailbox every address is one, and sends as any other.
func TestWhoExistsByDefault(t *testing.T) {
	t.Parallel()
	const own, ghost = "erp@contoso.example", "ghost@contoso.example"
	mail := func(from string) string {
		return wrapped("From: "+from+"\r\nTo: anna@example.com\r\nSubject: x\r\n\r\ny\r\n", "\r\n")
	}
	for name, tt := range map[string]struct {
		options                   Options
		ghostStatus, otherStatus  int
		ghostCode, otherCode      string
		tokenRefused, authRefused bool
	}{
		"default":     {Options{}, 404, 403, "ErrorInvalidUser", "ErrorSendAsDenied", true, true},
		"any mailbox": {Options{AnyMailbox: true}, 202, 202, "", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tt.options)
			s.GraphConnection("  ERP@contoso.example") // as Exchange takes it
			s.Reset()                                  // who exists stays
			send := func(mailbox, from string, status int, code string) {
				t.Helper()
				r := newGraphClient(t, s).do("POST", mailbox+"/sendMail", strings.NewReader(mail(from)), "Content-Type", "text/plain")
				if r.status != status || r.code() != code {
					t.Errorf("%s as %s: %d %v, want %d %s", mailbox, from, r.status, r.doc, status, code)
				}
			}
			send(own, own, 202, "")
			send(ghost, ghost, tt.ghostStatus, tt.ghostCode)
			send(own, ghost, tt.otherStatus, tt.otherCode)
			if _, err := googleTokenFor(t, s, ghost, "https://mail.google.com/"); (err != nil) != tt.tokenRefused {
				t.Errorf("Google's token for %s: %v", ghost, err)
			}
			_, _, plain := s.SMTPPorts()
			auth := func(login string) error {
				c, err := smtp.Dial("127.0.0.1:" + portText(plain))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				return c.Auth(smtp.PlainAuth("", login, s.smtp.Password(login), "127.0.0.1"))
			}
			if err := auth(own); err != nil {
				t.Errorf("login %s: %v", own, err)
			}
			if err := auth(ghost); (err != nil) != tt.authRefused {
				t.Errorf("login %s: %v", ghost, err)
			}
			if status, _ := askControl(t, s, "GET", "/connections?from="+ghost, ""); status != http.StatusOK {
				t.Errorf("connections: %d", status)
			}
			send(ghost, ghost, 202, "")
		})
	}
}
