package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
)

// A name that is not there is answered with what to do, in both languages; of
// many others only some are listed.
func TestNoSuchName(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if code, out, errOut := command(t, "", "client", "add", "erp", "--data", data); code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	wrong := func(lang, args string, code int, want string) {
		t.Helper()
		got, out, errOut := command(t, "", append(strings.Fields("--lang "+lang+" "+args), "--data", data)...)
		if got != code || !strings.Contains(errOut, want) {
			t.Errorf("%s in %s: exit %d, want %d and %q:\n%s%s", args, lang, got, code, want, out, errOut)
		}
	}
	wrong("en", "connection show a", app.ExitUsage, `there is no connection "a", nor any other: make one with 'postino connection add'`)
	wrong("it", "connection show a", app.ExitUsage, `non esiste una connessione "a", né altre: crearne una con 'postino connection add'`)
	add := func(i int) (code int, errOut string) {
		conn := fmt.Sprintf(`{"name": "c%02d", "provider": "smtp", "from": "a@example.com",
			"smtp": {"host": "mail.example.com", "auth": "none"}}`, i)
		code, _, errOut = command(t, conn, "--lang", "it", "connection", "add", "--file", "-", "--data", data)
		return code, errOut
	}
	for i := range 23 {
		if code, errOut := add(i); code != 0 {
			t.Fatalf("exit %d: %s", code, errOut)
		}
		if i == 1 {
			wrong("en", "connection show a", app.ExitUsage, "there are: c00, c01\n")
		}
	}
	if code, errOut := add(0); code != app.ExitConfig || !strings.Contains(errOut, `esiste già una connessione "c00"`) {
		t.Errorf("exit %d: %s", code, errOut)
	}
	wrong("en", "connection show a", app.ExitUsage, `, c19 and 3 more: see 'postino connection list'`)
	wrong("it", "connection show a", app.ExitUsage, `, c19 e altre 3: vedi 'postino connection list'`)
	wrong("en", "queue show a", app.ExitUsage, `"a" is not the id of a delivery`)
	wrong("it", "queue show a", app.ExitUsage, `"a" non è l'id di una consegna`)
	wrong("en", "queue show 06h0ag98bnxdb769sgdz0mffa0", app.ExitFailure, "there is no delivery 06h0ag98bnxdb769sgdz0mffa0")
	wrong("it", "queue show 06h0ag98bnxdb769sgdz0mffa0", app.ExitFailure, "non esiste una consegna 06h0ag98bnxdb769sgdz0mffa0")
	wrong("en", "client remove a", app.ExitUsage, `there is no client "a"`)
	wrong("it", "client remove a", app.ExitUsage, `non esiste un client "a"`)
}

// sendmail's arguments are its own, so the language is read without the parser too.
func TestLanguageOfTheEnvironment(t *testing.T) {
	t.Setenv("LC_ALL", "en_US.UTF-8")
	t.Setenv("POSTINO_LANG", "it")
	if got := new(commands).language(); got != "it" {
		t.Error(got)
	}
	t.Setenv("POSTINO_LANG", "")
	t.Setenv("LC_ALL", "it_IT.UTF-8")
	data := filepath.Join(t.TempDir(), "data")
	code, out, errOut := command(t, "", "connection", "add", "a", "--from", "a@x.it", "--host", "h.x.it", "--set", "smtp.auth=none",
		"--data", data)
	if code == 0 {
		code, out, errOut = command(t, "", "connection", "export", "--format", "csv", "--data", data)
	}
	if !strings.HasPrefix(out, `"name";"provider"`) {
		t.Errorf("exit %d: no Italian table: %s%s", code, out, errOut)
	}
}
