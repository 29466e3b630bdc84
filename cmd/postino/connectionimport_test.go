package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/postino-mail/postino/internal/app"
)

// Connections move to another installation by file, their secrets sealed; what
// fails leaves nothing half done.
func TestConnectionExportAndImport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	const word = "correct-horse-8"
	do := func(code int, want string, args ...string) {
		t.Helper()
		got, out, errOut := command(t, "", append([]string{"connection"}, args...)...)
		if got != code || !strings.Contains(out+errOut, want) || strings.Contains(out+errOut, word) {
			t.Fatalf("connection %v: exit %d, want %d with %q and no secret\n%s%s", args, got, code, want, out, errOut)
		}
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keyFile := write("key.txt", "# made for a test\n"+key.String()+"\n")
	one, two := "--data="+at("one"), "--data="+at("two")
	table := write("t.csv", "sep=;\r\nnome;mittente;server;porta;utente;password\r\n"+
		"Aruba;shop@contoso.it;smtps.aruba.it;465;shop@contoso.it;"+word+"\r\nEco;eco@contoso.it;smtp.example.com;;eco@contoso.it;"+word+"\r\n")
	do(app.ExitPlanned, "create Aruba", "import", table, "--plan", one)
	do(0, "2 changes applied", "import", table, "--yes", one)
	do(0, "nothing to do", "import", table, "--yes", one)

	for _, format := range []string{"json", "csv"} {
		file := at("sealed." + format)
		do(0, "", "export", "--format", format, "--recipient", key.Recipient().String(), "--output", file, one)
		do(app.ExitCantCreate, "exists", "export", "--output", file, one) // nothing is written over
		if strings.Contains(readFile(t, file), word) {
			t.Errorf("%s holds a secret in the clear", file)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		do(app.ExitConfig, "--identity", "import", file, "--yes", two)
		do(app.ExitConfig, "private key", "import", file, "--yes", "--identity", table, two)
	}
	do(app.ExitUsage, "public key", "export", "--recipient", "age1nonsense", one)
	do(app.ExitUsage, "leave one of", "export", "--recipient", key.Recipient().String(), "--secrets-in-clear", one)
	do(0, "2 changes applied", "import", at("sealed.csv"), "--identity", keyFile, "--yes", two)
	do(0, "nothing to do", "import", at("sealed.json"), "--identity", keyFile, "--yes", two)
	do(0, `"password": "***"`, "show", "Eco", two)
	do(0, "nothing to do", "import", at("sealed.json"), "--without-secrets", "--yes", two)

	// A folder says what there is, in all formats; a fault anywhere, and nothing is applied.
	smtp := func(name, host string) string {
		return "name = '" + name + "'\nprovider = 'smtp'\nfrom = '" + name + "@contoso.it'\n[smtp]\nhost = '" + host + "'\n"
	}
	write("c.d/a.toml", smtp("toml", "smtp.example.com"))
	write("c.d/sub/b.json", `[{"name":"json","provider":"smtp","from":"j@contoso.it","smtp":{"host":"smtp.example.com"}}]`)
	write("c.d/c.csv", "name,active\nEco,no\n")
	write("c.d/README.md", "notes")
	write("c.d/.git/config", "x")
	do(app.ExitPlanned, "create toml\nchange Eco: active\ncreate json\nremove Aruba\n", "apply", "-f", at("c.d"), "--prune", "--plan", one)
	write("c.d/d.jsn", "{}")
	do(app.ExitConfig, "neither .json, .toml nor .csv", "apply", "-f", at("c.d"), "--prune", "--yes", one)
	if err := os.Rename(at("c.d/d.jsn"), at("c.d/d.toml")); err != nil {
		t.Fatal(err)
	}
	write("c.d/d.toml", smtp("wrong", "")+"[limits]\nper_minute = -1\n")
	do(app.ExitConfig, "smtp.host", "apply", "-f", at("c.d"), "--prune", "--yes", one)
	do(0, `"name": "Aruba"`, "export", one)
	if err := os.Remove(at("c.d/d.toml")); err != nil {
		t.Fatal(err)
	}
	do(0, "4 changes applied", "apply", "-f", at("c.d"), "--prune", "--yes", one)
	do(0, "nothing to do", "apply", "-f", at("c.d"), "--prune", "--yes", one)
	do(app.ExitNoInput, "the connection file cannot be read", "apply", "-f", at("none"), one)
	if err := os.MkdirAll(at("empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	do(app.ExitConfig, "has no file of connections", "apply", "-f", at("empty"), "--prune", "--yes", one)
}
