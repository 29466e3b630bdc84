package app

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/view"
)

// `postino doctor` beside a server looks at the listeners that run, whichever the
// configuration names, and sees a connection that leads to one of them.
func TestDoctorBesideServer(t *testing.T) {
	t.Parallel()
	at, _ := startServer(t, "smtp = [{ address = \"127.0.0.1:0\" }, { address = \"127.0.0.1:0\", tls = \"implicit\", auth = \"off\" }]\n"+
		"[http]\naddress = \"127.0.0.1:0\"\n")
	data := filepath.Dir(at.Socket)
	_, port, err := net.SplitHostPort(at.SMTP[0])
	if err != nil {
		t.Fatal(err)
	}
	k := ConnectionCommands{Storage: Storage{Data: data}, Stdin: strings.NewReader(`{"name": "Giro", "provider": "smtp",
		"from": "a@contoso.it", "smtp": {"host": "localhost", "port": ` + port + `, "encryption": "none",
		"auth": "none"}}`), Stdout: new(bytes.Buffer)}
	if err := k.Add(t.Context(), "Giro", ConnectionChanges{File: "-"}); err != nil {
		t.Fatal(err)
	}
	look := func(configuration string) (c view.Checkup, findings string) {
		file := filepath.Join(t.TempDir(), "postino.toml")
		if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Doctor(t.Context(), DoctorOptions{ConfigFile: file, Data: data, JSON: true, Language: "en", Stdout: &out,
			Getenv: func(string) string { return "" }}); ExitCode(err) != ExitFailure {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if err := json.Unmarshal(out.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Findings {
			findings += f.Check + " " + f.Status + ": " + f.Message + "\n"
		}
		return c, findings
	}
	c, findings := look("smtp = [{ address = \"127.0.0.1:1\" }]\n[http]\naddress = \"127.0.0.1:0\"\n")
	for _, want := range []string{
		"listener ok: the listener smtp " + at.SMTP[0] + " answers, with STARTTLS and a certificate until ",
		"listener ok: the listener smtp " + at.SMTP[1] + " answers, with TLS and a certificate until ",
		"listener ok: the listener http " + at.HTTP + " answers\n",
		"listener ok: the listener socket " + at.Socket + " answers\n",
		"listener warning: the configuration names the listener smtp 127.0.0.1:1, and the server that runs does not listen there\n",
		"certificate ok: the certificate of the listener " + at.SMTP[0] + " is valid until ",
		"server failed: localhost:" + port + ", which the connection Giro needs, fails at connection: localhost, port " + port +
			", is a listener of this gateway",
	} {
		if !strings.Contains(findings, want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(findings)
	}
	if len(c.Listeners) != 5 || !c.Listeners[0].Running || c.Listeners[4].Running || c.Listeners[1].Auth || !c.Listeners[0].Auth {
		t.Errorf("%+v", c.Listeners)
	}
}
