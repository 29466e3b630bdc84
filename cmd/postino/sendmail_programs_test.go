package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

// What is said of one call of sendmail: the recipients that its message reached,
// or the code of a refusal.
type sendmailCall struct {
	name, args, in string
	code           int
	rcpts          string
	from, hidden   string // in the From field; in no field at all
}

// The texts of cron and anacron, git send-email, bsd-mailx, and what msmtp
// documents of -t, through the sendmail command to a provider.
func TestSendmailPrograms(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("real programs run with POSTINO_PEERS=1 only")
	}
	m := newMachine(t)
	m.everyone()
	m.serve()
	for _, c := range []sendmailCall{
		{name: "cronie", args: "-FCronDaemon -i -odi -oem -oi -t", rcpts: "anna@example.com", from: "root@",
			in: "From: \"(Cron Daemon)\" <root>\nTo: anna@example.com\nSubject: Cron <root@host> /bin/job\nContent-Type: text/plain; " +
				"charset=UTF-8\nAuto-Submitted: auto-generated\nPrecedence: bulk\nX-Cron-Env: <SHELL=/bin/sh>\n\nout\n"},
		{name: "Debian's cron", args: "-i -FCronDaemon -B8BITMIME -oem anna@example.com", rcpts: "anna@example.com", from: "root@",
			in: "From: root (Cron Daemon)\nTo: anna@example.com\nSubject: Cron <root@host> job\nMIME-Version: 1.0\nContent-Type: text/plain; " +
				"charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\nperò\n"},
		{name: "anacron", args: "-FAnacron -odi anna@example.com", rcpts: "anna@example.com", from: "root@",
			in: "From: Anacron <root>\nTo: anna@example.com\nSubject: Anacron job\n\nout\n"},
		// msmtp -t: "Read recipient addresses from the To, Cc, and Bcc headers of the mail in addition to the recipients given on
		// the command line. If any Resent- headers are present, then the addresses from any Resent-To, Resent-Cc, and Resent-Bcc
		// headers in the first block of Resent- headers are used instead."
		{name: "-t: To, Cc and Bcc", args: "-t", rcpts: "a@example.com b@example.com c@example.com", hidden: "c@example.com",
			in: "From: " + shop + "\nTo: a@example.com\nCc: B <b@example.com>\nBcc: c@example.com\nSubject: s\n\nx\n"},
		{name: "-t: beside the arguments", args: "-t d@example.com", rcpts: "a@example.com d@example.com", in: "From: " + shop +
			"\nTo: a@example.com\nSubject: s\n\nx\n"},
		{name: "-t: the first block of Resent fields alone", args: "-t", rcpts: "r@example.com", in: "Resent-From: " + shop +
			"\nResent-To: r@example.com\nReceived: by x; Sun, 29 Nov 2026 10:00:00 +0000\n" +
			"Resent-From: x@example.com\nResent-To: old@example.com\nFrom: " + shop + "\nTo: a@example.com\nSubject: s\n\nx\n"},
		{name: "-t: Resent and the arguments", args: "-t d@example.com", rcpts: "d@example.com r@example.com", in: "Resent-From: " + shop +
			"\nResent-Cc: r@example.com\nFrom: " + shop + "\nTo: a@example.com\nSubject: s\n\nx\n"},
		{name: "-t: a group", args: "-t", rcpts: "a@example.com b@example.com", in: "From: " + shop +
			"\nTo: team: a@example.com, B <b@example.com>;\nSubject: s\n\nx\n"},
		{name: "-t: folded, with comments", args: "-t", rcpts: "a@example.com b@example.com", in: "From: " + shop +
			"\nTo: a@example.com (A, one),\n\t\"B, two\" <b@example.com>\nSubject: s\n\nx\n"},
		{name: "-t: no recipient", args: "-t", code: 64, in: "From: " + shop + "\nSubject: s\n\nx\n"},
		{name: "without -t the header does not count", args: "d@example.com", rcpts: "d@example.com", in: "From: " + shop +
			"\nTo: a@example.com\nSubject: s\n\nx\n"},
	} {
		code, out := m.call(c.in, m.sendmail, strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("%s: exit %d: %s", c.name, code, out)
			continue
		}
		if code != 0 {
			continue
		}
		d, r := m.next()
		got := slices.Sorted(slices.Values(d.Recipients))
		if strings.Join(got, " ") != c.rcpts || !strings.Contains(r.Header.Get("From"), c.from) {
			t.Errorf("%s: to %v from %s", c.name, got, r.Header.Get("From"))
		}
		for f := r.Header.Fields(); c.hidden != "" && f.Next(); {
			if strings.Contains(f.Value(), c.hidden) {
				t.Errorf("%s: %s is shown in %s", c.name, c.hidden, f.Key())
			}
		}
	}
	m.gitSendEmail()
	m.bsdMailx()
	m.manyRecipients()
}

// manyRecipients sends to more than one transaction takes: each gets the message once.
func (m *machine) manyRecipients() {
	m.t.Helper()
	const all = 2105 // two transactions of 1000, and one of 105
	args := []string{"-i", "-f", "root"}
	for i := range all {
		args = append(args, fmt.Sprintf("r%d@example.com", i))
	}
	if code, out := m.call("From: root\nSubject: many\n\nx\n", m.sendmail, args...); code != 0 || out != "" {
		m.t.Fatalf("%d recipients: exit %d: %s", all, code, out)
	}
	got := map[string]int{}
	for len(got) < all { // next ends the test when nothing more arrives
		d, _ := m.next()
		for _, r := range d.Recipients {
			got[r]++
		}
	}
	for r, n := range got {
		if n != 1 {
			m.t.Errorf("%s got it %d times", r, n)
		}
	}
	err := filepath.WalkDir(m.maildrop, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			m.t.Errorf("left in the maildrop: %s", path)
		}
		return err
	})
	if err != nil {
		m.t.Error(err)
	}
}

// everyone adds a route that takes the mail of any sender: root's too.
func (m *machine) everyone() {
	m.t.Helper()
	st, err := app.OpenStore(m.t.Context(), app.Storage{Data: m.data}, false, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	c := &gateway.Connection{Connection: *m.sandbox.SMTPConnection("relay@contoso.example")}
	c.Default = gateway.DefaultUnrouted
	_, err = st.PutConnection(m.t.Context(), time.Now(), c)
	if err := errors.Join(err, st.Close()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) gitSendEmail() {
	m.t.Helper()
	patch := filepath.Join(m.t.TempDir(), "0001-fix.patch")
	const text = "From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\nFrom: Shop <%s>\nDate: Sun, 29 Nov 2026 10:00:00 " +
		"+0100\nSubject: [PATCH] fix\n\nwhy\n---\n a | 2 +-\n\n.\n-- \n2.39.5\n"
	if err := os.WriteFile(patch, fmt.Appendf(nil, text, shop), 0o600); err != nil {
		m.t.Fatal(err)
	}
	code, out := m.call("", "git", "-c", "user.name=Shop", "-c", "user.email="+shop, "send-email", "--smtp-server="+m.sendmail,
		"--confirm=never", "--suppress-cc=all", "--from=Shop <"+shop+">",
		"--to=Anna <anna@example.com>", "--cc=bruno@example.com", "--bcc=hidden@example.com", patch)
	if code != 0 {
		m.t.Fatalf("git send-email: exit %d: %s", code, out)
	}
	d, r := m.next()
	if got := slices.Sorted(slices.Values(d.Recipients)); strings.Join(got, " ") != "anna@example.com bruno@example.com hidden@example.com" ||
		d.Subject != "[PATCH] fix" || r.Header.Get("Bcc") != "" {
		m.t.Errorf("git send-email: %+v", d)
	}
}

func (m *machine) bsdMailx() {
	m.t.Helper()
	mailx, err := exec.LookPath("bsd-mailx")
	if err != nil {
		m.t.Fatalf("bsd-mailx is missing (.ci/run installs it): %v", err)
	}
	// It calls /usr/sbin/sendmail unless its settings name another.
	rc := filepath.Join(m.t.TempDir(), "mailrc")
	if err := os.WriteFile(rc, []byte("set sendmail="+m.sendmail+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.env = []string{"MAILRC=" + rc}
	defer func() { m.env = nil }()
	code, out := m.call("uno\n..due\n", mailx, "-s", "Prova", "-c", "bruno@example.com", "-b", "hidden@example.com", "-a",
		"From: Shop <"+shop+">", "anna@example.com")
	if code != 0 {
		m.t.Fatalf("bsd-mailx: exit %d: %s", code, out)
	}
	d, r := m.next()
	if got := slices.Sorted(slices.Values(d.Recipients)); strings.Join(got, " ") != "anna@example.com bruno@example.com hidden@example.com" ||
		d.Subject != "Prova" || !strings.Contains(r.Header.Get("From"), shop) {
		m.t.Errorf("bsd-mailx: %+v from %s", d, r.Header.Get("From"))
	}
}
