//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
)

// onTerminal is what a command shows on a terminal of so many columns.
func onTerminal(t *testing.T, columns uint16, args ...string) string {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("there is no pseudo-terminal: %v", err)
	}
	defer func() {
		_ = slave.Close()
		_ = master.Close()
	}()
	if err := pty.Setsize(slave, &pty.Winsize{Cols: columns, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	d := listen(t, master, func() {})
	if code := run(context.WithoutCancel(t.Context()), args, stdio{slave, slave, slave}); code != 0 {
		t.Errorf("%s: exit %d", strings.Join(args, " "), code)
	}
	const end = "-- end --"
	if _, err := slave.WriteString(end); err != nil || !d.says(end) {
		t.Fatalf("%v: %s", err, d.text())
	}
	text, _, _ := strings.Cut(strings.ReplaceAll(d.text(), "\r\n", "\n"), end)
	return text
}

const (
	longWord  = "Società Cooperativa per l'Amministrazione degli Stabili del Centro Storico e dei Comuni Limitrofi"
	wideWords = "請求書の件について、ご確認をお願いいたします。😀 Perche\u0301 la citta\u0300 e\u0300 qui: 日本語 العربية"
)

// fill has something long in every listing.
func (s *shelf) fill() {
	s.t.Helper()
	s.open(func(st store.Store) error {
		conns, err := st.Connections(s.t.Context())
		if err != nil {
			return err
		}
		now := time.Now()
		var to []mime.Recipient
		for i := range 12 {
			to = append(to, mime.Recipient{Address: mailboxtest.Of(fmt.Sprintf("ufficio.acquisti.e.forniture.%d@divisione.fabrikam.example", i))})
		}
		for i, subject := range []string{wideWords, longWord} {
			_, err = st.Submit(s.t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{{
				Message: store.Message{MessageID: fmt.Sprintf("<long%d@contoso.it>", i), From: mailboxtest.Of("erp@contoso.it"), Subject: subject,
					EntryPoint: "smtp"},
				Head: []byte("From: erp@contoso.it\r\n\r\n"), Body: mime.Bytes([]byte("ciao\r\n")),
				Deliveries: []store.NewDelivery{{Route: store.Route{Connection: conns[0].ID, Lane: conns[0].Lane(mime.Mailbox{})},
					Recipients: to, ExpiresAt: now.Add(time.Hour)}},
			}}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	const client = "Gestionale-della-Sede-di-Reggio-nell-Emilia"
	for _, line := range [][]string{
		{"client", "add", client, "--network", "192.0.2.0/24", "--network", "2001:db8:1234:5678::/64", "--network", "198.51.100.0/24",
			"--sender", "*@divisione.fabrikam.example"},
		{"people", "add", "anna.maria.de.santis@divisione.contoso.example", "--name", wideWords, "--role", "admin"},
		{"key", "add", "Chiave per la " + longWord, "--client", client},
		{"webhook", "add", "https://hooks.contoso.example/" + strings.Repeat("events/", 12), "--client", client},
	} {
		code, out, errs := command(s.t, "", append(line, "--data", s.data)...)
		if code != 0 {
			s.t.Fatalf("%s: %d %s%s", line, code, out, errs)
		}
	}
}

// Every listing fits a terminal of 80 columns and uses one of 160; ids stand in
// it whole. What goes to a program is not cut.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "Ufficio Nord", 0)
	s.fill()
	for _, line := range []string{"queue list", "queue history", "queue lanes", "queue stats", "connection list", "connection presets",
		"client list", "client programs", "key list", "webhook list", "people list", "people audit", "alerts"} {
		for _, lang := range []string{"en", "it"} {
			for _, columns := range []uint16{80, 160} {
				t.Run(fmt.Sprint(line, " ", lang, " ", columns), func(t *testing.T) {
					t.Parallel()
					args := append(strings.Fields(line), "--lang", lang)
					if line != "connection presets" {
						args = append(args, "--data", s.data)
					}
					shown := onTerminal(t, columns, args...)
					for _, l := range strings.Split(shown, "\n") {
						if n := terminal.Columns(l); n > int(columns) {
							t.Errorf("%d columns: %s", n, l)
						}
					}
					if line == "queue list" {
						for _, id := range s.ids {
							if !strings.Contains(shown, id.String()) {
								t.Errorf("%s is not whole:\n%s", id, shown)
							}
						}
						if !strings.Contains(shown, "…") {
							t.Errorf("nothing was cut:\n%s", shown)
						}
					}
				})
			}
		}
	}
	_, out, _ := command(t, "", "queue", "list", "--data", s.data)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != len(s.ids)+3 {
		t.Errorf("for a program, a delivery is a line:\n%s", out)
	}
}
