//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
)

// smtpAdd is the line that adds an SMTP connection with a login.
func smtpAdd(name, data string) []string {
	return []string{"connection", "add", name, "--from", "shop@contoso.it", "--host", "127.0.0.1", "--port", "2", "--login", "shop",
		"--data", data}
}

// A login without a password never signs in: it is asked for where there is a
// person, and refused with what to do where there is none.
func TestAddAsksForThePassword(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	code, _, errOut := command(t, "", smtpAdd("Aruba", data)...)
	if code != app.ExitUsage || !strings.Contains(errOut, "--secret-prompt") || !strings.Contains(errOut, "--auth none") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if code, _, errOut := command(t, "", append(smtpAdd("Relay", data), "--auth", "none")...); code != 0 {
		t.Errorf("a server that wants no password: exit %d: %s", code, errOut)
	}
	const password = "cavallo batteria graffetta"
	d := talk(t, append(smtpAdd("Aruba", data), "--lang", "it")...)
	d.answer("Password", "")
	d.answer("Password", password)
	if code := d.end(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, d.text())
	}
	if strings.Contains(d.text(), password) {
		t.Error("the password is on the screen")
	}
	_, out, _ := command(t, "", "connection", "show", "Aruba", "--data", data)
	if !strings.Contains(out, `"password": "***"`) {
		t.Errorf("no password was stored: %s", out)
	}
	if code, _, errOut := command(t, "", "connection", "edit", "Relay", "--auth", "auto", "--data", data); code != app.ExitUsage {
		t.Errorf("an edit that would need a password: exit %d: %s", code, errOut)
	}
	file := filepath.Join(t.TempDir(), "c.json")
	const off = `[{"name":"Spenta","active":false,"provider":"smtp","from":"a@x.it","smtp":{"host":"h.x.it","login":"l"}}]`
	if err := os.WriteFile(file, []byte(off), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := command(t, "", "connection", "import", file, "--yes", "--data", data); code != 0 {
		t.Errorf("switched off it may wait: exit %d: %s", code, errOut)
	}
	code, _, errOut = command(t, "", "connection", "enable", "Spenta", "--data", data, "--lang", "it")
	if code != app.ExitConfig || !strings.Contains(errOut, "è senza password") {
		t.Errorf("enable: exit %d: %s", code, errOut)
	}
}

// A word that is none of the known ones is answered with the nearest.
func TestUnknownWords(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for line, near := range map[string]string{"connection list --provider grahp": `"graph"`, "connection list --state pasued": `"paused"`,
		"people audit --kind conection": `"connection"`, "client add erp --class blk": `"bulk"`} {
		code, _, errOut := command(t, "", append(strings.Fields(line), "--data", data, "--lang", "it")...)
		if code != app.ExitUsage || !strings.Contains(errOut, "si intendeva "+near+"?") {
			t.Errorf("%s: exit %d: %s", line, code, errOut)
		}
	}
}

// The editor opens again with what is broken, and what a person gives up is kept.
func TestEditorKeepsWhatIsBroken(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", dir)
	editor := filepath.Join(t.TempDir(), "editor")
	write := func(script string) {
		t.Helper()
		if err := os.WriteFile(editor, []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", editor)
	if code, _, errOut := command(t, "", append(smtpAdd("Aruba", data), "--auth", "none")...); code != 0 {
		t.Fatal(errOut)
	}
	show := func() string {
		t.Helper()
		_, out, _ := command(t, "", "connection", "show", "Aruba", "--data", data)
		return out
	}
	edit := []string{"connection", "edit", "Aruba", "--data", data, "--lang", "it"}

	// First the closing brace is lost, the second time it is there again.
	write(`if grep -q '^}$' "$1"; then sed -i 's/shop@contoso.it/negozio@contoso.it/; $d' "$1"; else echo '}' >>"$1"; fi`)
	d := talk(t, edit...)
	d.answer("non è salvata", "1")
	if code := d.end(); code != 0 || !strings.Contains(show(), "negozio@contoso.it") {
		t.Fatalf("exit %d:\n%s\n%s", code, d.text(), show())
	}

	write(`sed -i 's/negozio@contoso.it/vendite@contoso.it/; $d' "$1"`)
	d = talk(t, edit...)
	d.answer("non è salvata", "2")
	if code := d.end(); code != app.ExitConfig || !strings.Contains(show(), "negozio@contoso.it") {
		t.Errorf("exit %d:\n%s", code, d.text())
	}
	kept := regexp.MustCompile(regexp.QuoteMeta(dir) + `/postino-connection-\S+\.json`).FindString(d.text())
	st, err := os.Stat(kept)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%q: %v, %v\n%s", kept, st, err, d.text())
	}
	content, err := os.ReadFile(kept)
	if err != nil || !strings.Contains(string(content), "vendite@contoso.it") || json.Valid(content) {
		t.Errorf("kept: %s, %v", content, err)
	}
	// Put right, it can be given as it is.
	if err := os.WriteFile(kept, append(content, '}'), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := command(t, "", append(edit, "--file", kept)...); code != 0 || !strings.Contains(show(), "vendite@contoso.it") {
		t.Errorf("exit %d: %s\n%s", code, errOut, show())
	}
}
