package main

import (
	"encoding/csv"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/store"
)

// People are managed on the store without a server; what was changed is in the
// audit trail under the user who ran the command, without a secret.
func TestPeople(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	const password = "segreto quattro parole"
	do := func(code int, stdin string, args ...string) string {
		t.Helper()
		got, out, errOut := command(t, stdin, append(append([]string{"--lang", "en"}, args...), "--data", data)...)
		if got != code {
			t.Fatalf("%v: exit %d, want %d: %s%s", args, got, code, out, errOut)
		}
		return out + errOut
	}
	for _, c := range []struct {
		code  int
		stdin string
		want  string
		args  string
	}{
		{want: "https://mail.contoso.it/setup/pi_",
			args: "people add anna@contoso.it --role admin --url https://mail.contoso.it"}, // before any server has run
		{want: "https://", code: app.ExitUsage, args: "people invite anna@contoso.it --url mail.contoso.it"},
		{want: "already", code: app.ExitUsage, args: "people add ANNA@contoso.it"},
		{want: "12 to 200 characters", code: app.ExitUsage, stdin: "short", args: "people password anna@contoso.it --password-file -"},
		{want: "active", stdin: password + "\n", args: "people password anna@contoso.it --password-file -"},
		{want: "last active administrator", code: app.ExitNoPerm, args: "people disable anna@contoso.it"},
		{want: "last active administrator", code: app.ExitNoPerm, args: "people role anna@contoso.it operator"},
		{want: "operator", stdin: password, args: "people add bruno@contoso.it --password-file -"},
		{want: "address is none", code: app.ExitUsage, args: "people add nobody"},
		{want: "no person", code: app.ExitUsage, args: "people show eve@contoso.it"},
		{want: "Put the address of the server before the link", args: "people invite bruno@contoso.it"},
		{want: "pk_", args: "key add laptop --person bruno@contoso.it"},
		{want: "exclude", code: app.ExitUsage, args: "key add laptop --person bruno@contoso.it --client x"},
		{want: "bruno@contoso.it", args: "key list"},
		{want: "disabled", args: "people disable bruno@contoso.it"},
		{want: "enable them first", code: app.ExitUnavailable, args: "people invite bruno@contoso.it"},
		{want: "no such file", code: app.ExitNoInput, args: "people password bruno@contoso.it --password-file none"},
		{want: "active", args: "people enable bruno@contoso.it"},
		{want: "admin", args: "people role bruno@contoso.it admin"},
		{want: "SIGNED IN", args: "people sessions bruno@contoso.it --end"},
		{want: "linked with no account", code: app.ExitUsage, args: "people unlink bruno@contoso.it"},
		{want: `"email": "anna@contoso.it"`, args: "people list --json"},
		{want: "removed", args: "people remove bruno@contoso.it"},
		{want: "is none of", code: app.ExitUsage, args: "people audit --kind nothing"},
	} {
		if out := do(c.code, c.stdin, strings.Fields(c.args)...); !strings.Contains(out, c.want) || strings.Contains(out, "segreto") {
			t.Errorf("%s: %s", c.args, out)
		}
	}
	link := func() (err error) {
		st, err := app.OpenStore(t.Context(), app.Storage{Data: data}, false, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		p, err := st.PersonByEmail(t.Context(), "anna@contoso.it")
		if err != nil {
			return err
		}
		p.Account = store.Account{Issuer: "https://login.example.com", Subject: "s-1"}
		_, err = st.PutPerson(t.Context(), *p)
		return err
	}
	if err := link(); err != nil {
		t.Fatal(err)
	}
	do(0, "", "people", "unlink", "anna@contoso.it")
	all := do(0, "", "people", "audit", "--limit", "0")
	for _, want := range []string{"postino people role", "role: operator → admin", "postino people unlink", "account.subject: s-1 → -",
		"key: removed", "password_hash: *** → -"} {
		if !strings.Contains(all, want) {
			t.Errorf("the trail has no %q:\n%s", want, all)
		}
	}
	table := do(0, "", "people", "audit", "--limit", "0", "--csv")
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(rows) < 10 || rows[1][6] != "command" {
		t.Errorf("%v: %s", err, table)
	}
	lines := do(0, "", "people", "audit", "--kind", "person", "--jsonl", "--limit", "2")
	if strings.Count(lines, "\n") != 2 {
		t.Errorf("%s", lines)
	}
	for _, s := range []string{"segreto", "argon2id", "pi_", "pk_"} {
		if strings.Contains(all+table+lines, s) {
			t.Errorf("a secret in the trail: %s", s)
		}
	}
}
