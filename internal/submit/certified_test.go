package submit

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
)

// Blind copies of certified mail are refused at submission (contracts K6).
func TestCertifiedMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, smtpConn("pec", "studio@pec.it", func(c *gateway.Connection) {
		fallback.SettingsOf(&c.Connection).Host = "smtps.pec.aruba.it"
	}))
	const head = "From: studio@pec.it\nTo: a@pec.it\nSubject: s"
	if _, refusal := w.take(letter{head: head, to: []string{"a@pec.it"}, sender: "studio@pec.it"}); refusal != nil {
		t.Errorf("without a blind copy: %v", refusal)
	}
	for name, l := range map[string]letter{
		"envelope": {head: head, to: []string{"a@pec.it", "b@pec.it"}, sender: "studio@pec.it"},
		"header":   {head: head + "\nBcc: b@pec.it", sender: "studio@pec.it"},
	} {
		_, refusal := w.take(l)
		if refusal == nil || refusal.Code != "pec_bcc" || refusal.SMTP != 550 || refusal.HTTP != 422 || refusal.Enhanced != "5.7.1" ||
			!strings.Contains(refusal.Message.In("it"), "copie nascoste") || !strings.Contains(refusal.Hint.In("it"), "Ccn") {
			t.Errorf("%s: %+v", name, refusal)
		}
	}
}
