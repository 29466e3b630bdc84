package mime_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// A report is read again as what it is: three parts, ASCII where its reader is.
func TestReport(t *testing.T) {
	t.Parallel()
	const head = "From: a@example.com\r\nSubject: Perch\u00e9\r\n"
	for _, c := range []struct {
		name, to, original string
		whole              bool
		media              []string
	}{
		{"header", "erp@contoso.it", head, false, []string{"text/plain", "message/delivery-status", "text/rfc822-headers"}},
		{"whole message", "erp@contoso.it", "From: a@example.com\r\n\r\nx", true,
			[]string{"text/plain", "message/delivery-status", "message/rfc822"}},
		{"whole message beyond ASCII", "erp@contoso.it", head + "\r\nsecret body\r\n", true,
			[]string{"text/plain", "message/delivery-status", "text/rfc822-headers"}},
		{"reader beyond ASCII", "per\u00f2@contoso.it", head + "\r\nbody\r\n", true,
			[]string{"text/plain", "message/global-delivery-status", "message/global"}},
		{"nothing comes back", "erp@contoso.it", "", false, []string{"text/plain", "message/delivery-status"}},
	} {
		r := mime.Report{From: mime.Address{Name: "Perch\u00e9 \"Srl\"\r\nBcc: x@example.com",
			Address: mailboxtest.Of("info@contoso.it")}, To: mailboxtest.Of(c.to),
			Subject: "Consegna \u00e8 in ritardo / Delayed\r\nX: y", Date: time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC),
			MessageID: "<1@contoso.it>", About: "<per\u00f2@contoso.it>", Text: "Perch\u00e9\n.\n", Whole: c.whole, Original: []byte(c.original),
			Status: [][]mime.ReportField{{{Name: "Reporting-MTA", Value: "dns; gw\r\nX: y"}},
				{{Name: "Final-Recipient", Value: "rfc822; a@example.com"}}}}
		raw, err := r.Compose()
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if strings.Contains(text, "\nX: y") || strings.Contains(text, "\nBcc:") || strings.Count(text, "secret body") != 0 {
			t.Errorf("%s: %s", c.name, text)
		}
		if !r.UTF8() && strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e }) {
			t.Errorf("%s: not ASCII:\n%s", c.name, text)
		}
		m, err := mime.Read(mime.Bytes(raw), mime.Limits{})
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, text)
		}
		if from := m.From(); len(from) != 1 || from[0].Address.String() != "info@contoso.it" || !strings.HasPrefix(from[0].Name,
			"Perch\u00e9 \"Srl\"") {
			t.Errorf("%s: From %+v", c.name, from)
		}
		root, err := m.Structure()
		if err != nil {
			t.Fatal(err)
		}
		var media []string
		for _, p := range root.Parts {
			media = append(media, p.MediaType)
		}
		if got := strings.Join(media, " "); root.MediaType != "multipart/report" || got != strings.Join(c.media, " ") {
			t.Errorf("%s: %s of %s\n%s", c.name, root.MediaType, got, text)
		}
	}
}
