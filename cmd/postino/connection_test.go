package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
)

// What an administrator writes on the command line, without JSON.
func TestConnectionFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "secret")
	const word = "correct-horse-7"
	if err := os.WriteFile(secret, []byte(word+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := command(t, "", "people", "add", "anna@contoso.it", "--data", data); code != 0 {
		t.Fatal(out, errOut)
	}
	for _, c := range []struct {
		args, stdin string
		code        int
		want, not   string
	}{
		{args: "add", code: app.ExitUsage, want: "--file"},
		{args: "add Aruba --from a@contoso.it --host smtps.aruba.it --port 465 --login a@contoso.it --secret-file " + secret,
			want: "Aruba: added"},
		{args: "show Aruba", want: `"port": 465`, not: word},
		{args: "show Aruba", want: `"provider": "smtp"`},
		{args: "add Ufficio --from erp@contoso.it --tenant contoso.it --client-id 00000000-0000-0000-0000-000000000001 --secret-file -",
			stdin: word, want: "Ufficio: added"},
		{args: "add Google --from g@contoso.it --key-file /etc/postino/key.json --mailbox m@contoso.it", want: "Google: added"},
		{args: "show Google", want: `"subject": "m@contoso.it"`},
		{args: "add X --file - --secret-file -", code: app.ExitUsage, want: "standard input"},
		{args: "add X --from a@contoso.it --host h --login l --secret-env NO_SUCH_VARIABLE", code: app.ExitNoInput, want: "NO_SUCH_VARIABLE"},
		{args: "add X --from a@contoso.it --host h --login l --secret-prompt", code: app.ExitUsage, want: "--secret-file"},
		{args: "add X --from a@contoso.it --host h --set smtp.password=" + word, code: app.ExitUsage, want: "smtp.password", not: word},
		{args: "add X --from a@contoso.it --host h --set smtp.Password=" + word, code: app.ExitUsage, want: "smtp.Password", not: word},
		{args: "add X --from a@contoso.it --host h --set nonsense", code: app.ExitUsage, want: "PATH=VALUE"},
		{args: "add X --provider pigeon --from a@contoso.it", code: app.ExitConfig, want: "pigeon"},
		{args: "add --from a@contoso.it --host h", code: app.ExitConfig, want: "name"},
		{args: "edit Aruba", code: app.ExitUsage, want: "nothing to change"},
		{args: "edit Aruba --fallback Ufficio --fallback Google --per-minute 20 --set limits.concurrency=2 --class bulk", want: "changed"},
		{args: "show Aruba", want: `"concurrency": 2`, not: word},
		{args: "edit Aruba --set limits=null --set smtp.hostname=mail.contoso.it", want: "changed"},
		{args: "show Aruba", want: `"mail.contoso.it"`, not: "per_minute"},
		{args: "edit Aruba --host other.example.com", code: app.ExitConfig, want: "smtp.password"},
		{args: "edit Aruba --host other.example.com --secret-file " + secret, want: "changed"},
		{args: "edit Aruba --secret-path smtp.host --secret-file " + secret, code: app.ExitUsage, want: "no secret"},
		{args: "rename Ufficio Milano", want: "Milano: renamed"},
		{args: "show Aruba", want: `"Milano"`},
		{args: "rename Milano ARUBA", code: app.ExitConfig, want: "already"},
		{args: "owner Milano anna", code: app.ExitUsage, want: "no person"},
		{args: "owner Milano nobody@contoso.it", code: app.ExitUsage, want: "no person"},
		{args: "owner Milano ANNA@contoso.it", want: "owner: anna@contoso.it"},
		{args: "list --owner anna@contoso.it", want: "Milano", not: "Aruba"},
		{args: "list --search anna@", want: "Milano", not: "Aruba"},
		{args: "owner Milano", want: "no one"},
		{args: "duplicate Aruba Copia", want: "Copia: added, switched off"},
		{args: "show Copia", want: `"password": "***"`, not: word},
		{args: "duplicate Aruba Copia", code: app.ExitConfig, want: "already"},
		{args: "duplicate Aruba Altra --host third.example.com", code: app.ExitConfig, want: "smtp.password"},
		{args: "duplicate Aruba Altra --host third.example.com --secret-file - --set active=true", stdin: word, want: "Altra: added\n"},
		{args: "list --state off", want: "Copia", not: "Altra"},
		{args: "list --search THIRD", want: "Altra", not: "Copia"},
		{args: "list --provider gmail", want: "Google", not: "Copia"},
		{args: "list --state strange", code: app.ExitUsage, want: "paused"},
		{args: "remove Copia --move-to copia", code: app.ExitUsage, want: "cannot be moved"},
		{args: "remove Copia --move-to nobody", code: app.ExitUsage, want: "nobody"},
		{args: "remove Copia --move-to Altra", want: "Copia: removed; 0 messages go to"},
	} {
		code, out, errOut := command(t, c.stdin, append(append([]string{"connection"}, strings.Fields(c.args)...), "--data", data)...)
		if code != c.code || !strings.Contains(out+errOut, c.want) || c.not != "" && strings.Contains(out+errOut, c.not) {
			t.Errorf("connection %s: exit %d, want %d with %q and without %q\n%s%s", c.args, code, c.code, c.want, c.not, out, errOut)
		}
	}
}

// The declarative file: a plan first, nothing without a yes, secrets stay, and a
// second run has nothing to do.
func TestConnectionApply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "c.json")
	write := func(doc string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(code int, want, not string, args ...string) string {
		t.Helper()
		got, out, errOut := command(t, "", append(append([]string{"connection"}, args...), "--data", data)...)
		if got != code || !strings.Contains(out+errOut, want) || not != "" && strings.Contains(out+errOut, not) {
			t.Fatalf("connection %v: exit %d, want %d with %q and without %q\n%s%s", args, got, code, want, not, out, errOut)
		}
		return out
	}
	const word = "correct-horse-8"
	smtp := func(name, more string) string {
		if more == "" {
			more = `,"auth":"none"`
		}
		return `{"name":"` + name + `","provider":"smtp","from":"a@contoso.it","smtp":{"host":"smtp.example.com","login":"l"` + more + `}}`
	}
	write("[" + smtp("a", `,"password":"`+word+`"`) + "," + smtp("b", "") + "]")
	do(2, "create a", word, "apply", "-f", file, "--plan")
	do(app.ExitUsage, "--yes", word, "apply", "-f", file)
	var plan struct {
		Plan    []struct{ Action, Name string }
		Applied *int
	}
	doc := do(2, "create", word, "apply", "-f", file, "--plan", "--json")
	if err := json.Unmarshal([]byte(doc), &plan); err != nil || len(plan.Plan) != 2 || plan.Applied == nil || *plan.Applied != 0 {
		t.Errorf("%v: %s", err, doc)
	}
	do(0, "2 changes applied", word, "apply", "-f", file, "--yes")
	do(0, "nothing to do", "", "apply", "-f", file, "--yes")
	do(0, `"plan": []`, "nothing", "apply", "-f", file, "--yes", "--json")
	write("[" + smtp("A", `,"port":465`) + "," + smtp("c", "") + "]")
	do(app.ExitConfig, "smtp.password", word, "apply", "-f", file, "--yes") // the destination changes: give the secret again
	write(`[{"name":"a","provider":"smtp","from":"a@contoso.it","limits":{"per_minute":5},"smtp":{"host":"smtp.example.com","login":"l"}},` +
		smtp("c", "") + "]")
	do(2, "change a: limits.per_minute", word, "apply", "-f", file, "--plan")
	do(2, "remove b", word, "apply", "-f", file, "--plan", "--prune")
	do(0, `"applied": 3`, "applied\n", "apply", "-f", file, "--prune", "--yes", "--json")
	do(0, `"password": "***"`, word, "show", "a")
	exported := do(0, `"per_minute": 5`, word, "export")
	if strings.Contains(exported, "***") || strings.Contains(exported, "revision") {
		t.Errorf("export: %s", exported)
	}
	write(exported)
	do(0, "nothing to do", "", "apply", "-f", file, "--plan", "--prune")
}
