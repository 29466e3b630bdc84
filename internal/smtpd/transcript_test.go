package smtpd

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// TestConversationKept: the record of a message has what was said for it, refusals with
// their words, and nothing of the message before it in the session.
func TestConversationKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true}},
		clients: []store.Client{{Name: "erp", SecretHash: "hunter2"}}})
	p := newPlayer(w)
	defer p.close()
	plain := base64.StdEncoding.EncodeToString([]byte("\x00erp\x00hunter2"))
	login := base64.StdEncoding.EncodeToString([]byte("hunter2"))
	for _, s := range [][2]string{{"", "220 *"}, {"EHLO pc\x01\xff", "250-*"}, {"AUTH hunter2", "504 *"}, {"AUTH LOGIN", "334 *"},
		{base64.StdEncoding.EncodeToString([]byte("erp")), "334 *"}, {"*", "501 *"}, {"hunter2", "500 *"}, {login, "500 *"},
		{"NOOP hunter2", "250 *"}, {"AUTH PLAIN " + plain, "235 *"},
		{"MAIL FROM:<first@contoso.it>", "250 *"}, {"RCPT TO:<first@example.com>", "250 *"}, {"RSET", "250 *"},
		{"MAIL FROM:<erp@contoso.it> SIZE=100", "250 *"}, {"RCPT TO:<a@b@c>", "553 *"}, {"RCPT TO:<anna@example.com>", "250 *"},
		{"DATA", "354 *"}, {"From: erp@contoso.it\r\nTo: anna@example.com\r\nSubject: geheim\r\n\r\ngeheim\r\n.", "250 *"},
		{"MAIL FROM:<erp@contoso.it>", "250 *"}, {"RCPT TO:<bruno@example.com>", "250 *"}} {
		if err := p.say(s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	body := "From: erp@contoso.it\r\nTo: bruno@example.com\r\nSubject: geheim\r\n\r\ngeheim\r\n"
	if err := errors.Join(p.say(fmt.Sprintf("BDAT %d LAST\r\n%s", len(body), strings.TrimSuffix(body, "\r\n")), "250 *")); err != nil {
		t.Fatal(err)
	}
	got := w.store.messages()
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	opening := "127.0.0.1\nEHLO pc \uFFFD -> 250\nAUTH *** -> 504 5.5.4 only PLAIN and LOGIN are available\n" +
		"AUTH LOGIN -> 501 5.7.0 authentication cancelled\nAUTH PLAIN *** -> 235\n"
	for i, want := range []string{
		opening + "MAIL FROM:<erp@contoso.it> SIZE=100 -> 250\nRCPT TO:<a@b@c> -> 553 5.1.3 " +
			"\"a@b@c\" is not a mail address: it must look like name@example.com.\nRCPT TO:<anna@example.com> -> 250\n" +
			"DATA -> 354\n(71 bytes) -> 250\n",
		opening + "MAIL FROM:<erp@contoso.it> -> 250\nRCPT TO:<bruno@example.com> -> 250\nBDAT 72 LAST\n(72 bytes) -> 250\n"} {
		if c := got[i].Conversation; c != want {
			t.Errorf("%d:\n%s\nwant\n%s", i, c, want)
		}
		for _, bad := range []string{"hunter", plain, login, "geheim", "first@"} {
			if strings.Contains(got[i].Conversation, bad) {
				t.Errorf("%q in\n%s", bad, got[i].Conversation)
			}
		}
	}
}

// TestTranscriptBounds: however much is said, the beginning and the end are kept.
func TestTranscriptBounds(t *testing.T) {
	t.Parallel()
	var d transcript
	for round := range 2 {
		for range 1000 {
			d.command("EHLO", strings.Repeat("è", 500))
			d.answered(250, "", "x")
		}
		if round == 1 {
			d.command("STARTTLS", "x")
			d.answered(220, "2.0.0", "ready")
		}
		d.command("MAIL", "FROM:<a@example.com>")
		d.answered(250, "2.1.0", "ok")
		for i := range 10_000 {
			d.command("RCPT", fmt.Sprintf("TO:<r%05d@example.com>", i))
			d.answered(550, "5.1.1", strings.Repeat("no\n", 1000))
		}
		d.command("DATA", "")
		d.answered(354, "", "go")
		s := d.taken(1 << 40)
		lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
		lost := 0
		for _, line := range lines {
			if _, err := fmt.Sscanf(line, "… (%d)", &lost); err == nil && lost+len(lines) < 9_000 {
				t.Errorf("%d lines are left out, %d are there", lost, len(lines))
			}
		}
		if len(s) >= 2<<10 || lost == 0 || strings.Count(s, "RCPT")+lost != 10_000 || !utf8.ValidString(s) ||
			strings.HasPrefix(s, "STARTTLS -> 220\nMAIL") != (round == 1) ||
			!strings.Contains(s, "MAIL FROM:<a@example.com> -> 250\nRCPT TO:<r00000@") || !strings.Contains(s, "<r09999@") ||
			!strings.HasSuffix(s, "\nDATA -> 354\n(1099511627776 bytes) -> 250\n") {
			t.Errorf("%d bytes, %d left out:\n%s", len(s), lost, s)
		}
		d.forget()
	}
}

// A program that ignores the refusal of DATA sends its message as commands.
func TestTranscriptNotesNoContent(t *testing.T) {
	t.Parallel()
	var d transcript
	for _, c := range [][2]string{{"MAIL", "me at once, the PIN is 4711"}, {"RCPT", "4711"}, {"BDAT", "PIN 4711"}, {"RCPT", "TO"}} {
		d.command(c[0], c[1])
		d.answered(501, "5.5.4", "syntax error")
	}
	d.command("MAIL", "from:<a@b.example>")
	d.answered(250, "", "ok")
	if s := d.taken(1); strings.Contains(s, "4711") || !strings.Contains(s, "a@b.example") {
		t.Error(s)
	}
}
