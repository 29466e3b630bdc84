package script

import (
	"flag"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/texterr"
)

var update = flag.Bool("update", false, "write the golden files")

func graphOf(name string) Connection {
	return Connection{Name: name, Tenant: "7a1b2c3d-0000-4000-8000-00000000c0de", ClientID: "11111111-2222-4333-8444-555555555555",
		Mailbox: "erp@contoso.it", Senders: []string{"info@contoso.it", "*@contoso.it"}, Certificate: []byte("a certificate in DER")}
}

func smtpOf(name string) Connection {
	c := graphOf(name)
	c.SMTP, c.Certificate = true, nil
	return c
}

func domainOf(name string) Connection {
	c := graphOf(name)
	c.Mailbox, c.Domain, c.Senders = "", "contoso.it", nil
	return c
}

func googleOf(name string) Connection {
	return Connection{Name: name, Google: true, Mailbox: "erp@contoso.it", Account: "postino@contoso-mail.iam.gserviceaccount.com",
		AccountID: "104857600000000000001", Project: "contoso-mail"}
}

func keylessOf(name string) Connection {
	c := googleOf(name)
	c.Keyless, c.SMTP = true, true
	return c
}

// each calls f for every kind of script in each language.
func each(t *testing.T, name string, f func(t *testing.T, file, script string)) {
	for _, lang := range []string{"en", "it"} {
		for _, c := range []struct {
			file   string
			target Target
			of     Connection
		}{
			{"entra", Entra, graphOf(name)}, {"entra-smtp", Entra, smtpOf(name)}, {"exchange", Exchange, graphOf(name)},
			{"exchange-smtp", Exchange, smtpOf(name)}, {"exchange-domain", Exchange, domainOf(name)},
			{"google", Google, googleOf(name)}, {"google-keyless", Google, keylessOf(name)},
		} {
			script, err := Write(c.target, c.of, lang)
			if err != nil {
				t.Fatal(c.file, err)
			}
			f(t, c.file+"."+lang, script)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	each(t, "Ufficio", func(t *testing.T, file, script string) {
		path := filepath.Join("testdata", file+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != script {
			t.Errorf("%s has changed (%v): look at the difference after go test -update", path, err)
		}
	})
}

// hostileNames would run something where a quote, a variable or a line end got through.
func hostileNames() []string {
	return []string{
		`x'; Remove-Item C:\ -Recurse; '`, "x\u2019; INJECTED; \u2018", "x\u201a\u201b; INJECTED #", `$(INJECTED)`,
		"`$INJECTED`n", `"; INJECTED; "`,
		"a\nINJECTED\n", "a\r\nINJECTED", "a\u2028INJECTED", "'@\nINJECTED", `$env:PATH ${INJECTED} "$(INJECTED)"`, "\u0085INJECTED",
		`'; INJECTED #`, `\'; INJECTED; \'`, `x\`, "!INJECTED", "\x00INJECTED", "<# #> INJECTED",
	}
}

func TestPowerShellSyntax(t *testing.T) {
	t.Parallel()
	for _, name := range append(hostileNames(), "Ufficio") {
		each(t, name, func(t *testing.T, file, script string) {
			if strings.HasPrefix(file, "google") {
				return
			}
			code, err := powerShellCode(script)
			if err != nil {
				t.Errorf("%s of %q: %v", file, name, err)
			}
			if strings.Contains(code, "INJECTED") || strings.Contains(code, "Recurse") {
				t.Errorf("%s of %q: the name is code", file, name)
			}
		})
	}
}

// Values other than the name cannot break out either.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	for _, v := range hostileNames() {
		c := graphOf("Ufficio")
		c.Tenant, c.ClientID, c.Mailbox, c.Senders = v, v, v, []string{v + "@contoso.it", "*@" + v}
		d := domainOf("Ufficio")
		d.Domain = v
		for _, of := range []Connection{c, d} {
			for _, target := range []Target{Entra, Exchange} {
				script, err := Write(target, of, "it")
				if err != nil {
					t.Fatal(err)
				}
				if code, err := powerShellCode(script); err != nil || strings.Contains(code, "INJECTED") {
					t.Errorf("%s of %q: %v", target, v, err)
				}
			}
		}
		g := googleOf("Ufficio")
		g.Account = v + "@x.iam.gserviceaccount.com"
		if script, err := Write(Google, g, "en"); err == nil {
			t.Errorf("the account %q was taken:\n%s", g.Account, script)
		}
	}
}

// The test of the syntax sees what it must see.
func TestPowerShellCode(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"a 'b''c' d":                 "a  d",
		"a \u2018b\u2019 c":          "a  c",
		"a # b\nc":                   "a \nc",
		"a \"b $(c 'd') e `\" f\" g": "a c   g",
		"x(@'\nINJECTED'\n'@)y":      "x()y",
		"a <# b #> c":                "a  c",
	} {
		if got, err := powerShellCode(script); err != nil || got != want {
			t.Errorf("%q: %q, %v", script, got, err)
		}
	}
	for _, script := range []string{"a 'b", "a \"b", "a { b", "a ) b", "a \"$(b\"", "@'\nx"} {
		if got, err := powerShellCode(script); err == nil {
			t.Errorf("%q: %q", script, got)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	noClient := graphOf("x")
	noClient.ClientID = ""
	for _, c := range []struct {
		target Target
		of     Connection
		want   string
	}{
		{Google, graphOf("x"), "google"}, {Entra, googleOf("x"), "entra"}, {Exchange, noClient, "client_id"}, {"aws", graphOf("x"), "aws"},
	} {
		if script, err := Write(c.target, c.of, "it"); err == nil || !strings.Contains(texterr.In(err, "it"), c.want) || script != "" {
			t.Errorf("%s: %q, %v", c.target, script, err)
		}
	}
	if _, err := Write(Entra, noClient, "en"); err != nil {
		t.Errorf("an application that is not registered yet: %v", err)
	}
}

func TestDelegationLink(t *testing.T) {
	t.Parallel()
	link, err := url.Parse(delegationLink("104857600000000000001", []string{"https://mail.google.com/", "b"}))
	if err != nil || link.Host != "admin.google.com" || link.Query().Get("clientIdToAdd") != "104857600000000000001" ||
		link.Query().Get("clientScopeToAdd") != "https://mail.google.com/,b" {
		t.Errorf("%v %v", link, err)
	}
}

// fakeCloud is a gcloud that remembers what it made, and notes each creation.
const fakeCloud = `#!/bin/bash
case "$*" in
  *"service-accounts describe"*uniqueId*) echo 104857600000000000001 ;;
  *"service-accounts describe"*) [ -e account ] ;;
  *"service-accounts create"*) touch account; echo account >>made ;;
  *"keys create"*) touch postino-key.json; echo key >>made ;;
esac
`

// The script for Google runs, makes everything once, and runs nothing of a name.
func TestGoogleRuns(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash on this machine")
	}
	for _, name := range []string{"'$(touch INJECTED)'\n`touch INJECTED`\ntouch INJECTED", "Ufficio"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "gcloud"), []byte(fakeCloud), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, c := range []Connection{googleOf(name), keylessOf(name)} {
			script, err := Write(Google, c, "it")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				cmd := exec.CommandContext(t.Context(), shell)
				cmd.Dir, cmd.Stdin = dir, strings.NewReader(script)
				cmd.Env = []string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")}
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), delegationLink(c.AccountID, c.Scopes())+"\n") {
					t.Fatalf("%q: %v\n%s", name, err, out)
				}
			}
		}
		if made, err := os.ReadFile(filepath.Join(dir, "made")); err != nil || string(made) != "account\nkey\n" {
			t.Errorf("%q: made %q, %v", name, made, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "INJECTED")); err == nil {
			t.Errorf("%q was run", name)
		}
	}
}

// A server that wants a login and a password has no script, for whatever target.
func TestNoScriptForAPassword(t *testing.T) {
	t.Parallel()
	c, err := gateway.DecodeShown([]byte(`{"name":"Aruba","provider":"smtp","from":"a@b.example",` +
		`"smtp":{"host":"mail.example","encryption":"tls","login":"a@b.example"}}`))
	if err != nil {
		t.Fatal(err)
	}
	values, err := Of(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []Target{Entra, Exchange, Google} {
		if script, err := Write(target, values, "en"); err == nil {
			t.Errorf("%s:\n%s", target, script)
		}
	}
}
