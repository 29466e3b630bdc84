package fallback_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
)

// TestConversationNoted: the dialogue is noted without a secret, whatever the mechanism and
// however the server echoes it, and a kept session notes each message in its own.
func TestConversationNoted(t *testing.T) {
	t.Parallel()
	sb := startSandbox(t)
	for _, auth := range []string{"plain", "login", "cram-md5", "scram-sha-256"} {
		for _, wrong := range []bool{false, true} {
			c := sb.SMTPConnection(sandboxFrom)
			set := fallback.SettingsOf(c)
			set.Auth = auth
			if wrong {
				set.Password = "Sbagliata-7431"
				sb.Inject(sandbox.Fault{Service: "smtp", Op: "auth", Times: 1, Reply: "535 5.7.8 no, not Sbagliata-7431"})
			}
			a := adapterOn(t, c, fallback.Options{})
			for i := range 2 {
				said := &adapters.Conversation{}
				m := invoice(t, "Oggetto-segreto")
				_, err := a.Send(adapters.WithConversation(t.Context(), said), to(m, "anna@example.com", "x+550@example.com"))
				s := said.String()
				if !wrong && (err != nil || !strings.Contains(s, "C: MAIL FROM:<") || !strings.Contains(s, "C: RCPT TO:<x+550@example.com>") ||
					!strings.Contains(s, "S: 550") || !strings.Contains(s, "bytes)\nS: 250") || (i == 0) != strings.Contains(s, "C: EHLO ")) {
					t.Errorf("%s: %v\n%s", auth, err, s)
				}
				if wrong && (err == nil || !strings.Contains(s, "C: AUTH ")) {
					t.Errorf("%s: %v\n%s", auth, err, s)
				}
				secret := set.Password.Reveal()
				for _, bad := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), "Oggetto",
					base64.StdEncoding.EncodeToString([]byte("\x00" + set.Login + "\x00" + secret))} {
					if strings.Contains(s, bad) {
						t.Errorf("%s: %q is noted:\n%s", auth, bad, s)
					}
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
