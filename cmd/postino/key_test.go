package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/view"
)

// Keys are made, listed and revoked on the store; a key is shown once.
func TestKeys(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	do := func(code int, args ...string) string {
		t.Helper()
		got, out, errOut := command(t, "", append(append([]string{"--lang", "en", "key"}, args...), "--data", data)...)
		if got != code {
			t.Fatalf("key %v: exit %d, want %d: %s%s", args, got, code, out, errOut)
		}
		return out + errOut
	}
	type key struct {
		ID, Key, Client string
		Scopes          []string
	}
	made := func(args ...string) (k key) {
		t.Helper()
		out := do(0, append(append([]string{"add"}, args...), "--json")...)
		if err := json.Unmarshal([]byte(out), &k); err != nil || !strings.HasPrefix(k.Key, "pk_") || strings.Contains(out, "hash") {
			t.Fatalf("%v: %s", err, out)
		}
		return k
	}
	first := made("laptop") // before any server has run
	if strings.Join(first.Scopes, " ") != "admin" {
		t.Errorf("%+v", first)
	}
	if out := do(app.ExitUsage, "add", "x", "--client", "shop"); !strings.Contains(out, `there is no client "shop"`) {
		t.Error(out)
	}
	var shop view.Client
	code, out, errOut := command(t, "", "client", "add", "shop", "--json", "--data", data)
	if err := json.Unmarshal([]byte(out), &shop); code != 0 || err != nil || !strings.HasPrefix(shop.Secret, "pc_") {
		t.Fatal(out, errOut, err)
	}
	if k := made("web shop", "--client", "shop"); strings.Join(k.Scopes, " ") != "messages:send messages:read events:read" ||
		k.Client != shop.ID {
		t.Errorf("%+v", k)
	}
	if k := made("twin", "--scope", "messages:read", "--scope", "connections:read"); len(k.Scopes) != 2 {
		t.Errorf("%+v", k)
	}
	second := made("twin", "--lifetime", "30d")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`scope "admin" is none that a client's key can have`, []string{"add", "x", "--client", "shop", "--scope", "admin"}},
		{`scope "everything" is none that a key can have`, []string{"add", "x", "--scope", "everything"}},
		{"given twice", []string{"add", "x", "--scope", "admin", "--scope", "admin"}},
		{"cannot have expired", []string{"add", "x", "--lifetime=-1h"}},
		{`several keys are called "twin"`, []string{"revoke", "twin"}},
		{`there is no key "nope" in force`, []string{"revoke", "nope"}},
		{"not by itself", []string{"revoke", first.Key}},
	} {
		if out := do(app.ExitUsage, c.args...); !strings.Contains(out, c.want) {
			t.Errorf("%v: %s", c.args, out)
		}
	}
	do(0, "revoke", second.ID)
	do(0, "revoke", "twin") // one is left of that name
	do(0, "revoke", second.ID)
	list := do(0, "list")
	if strings.Contains(list, "pk_") || strings.Count(list, "revoked 2") != 2 || strings.Count(list, "valid") != 2 ||
		strings.Count(list, "  shop  ") != 1 {
		t.Error(list)
	}
	if list := do(0, "list", "--client", "shop"); strings.Count(list, "\n") != 2 {
		t.Error(list)
	}
}

// Names that came from outside act on no one's terminal, in tables, in errors
// and in JSON.
func TestUnsafeCharacters(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	const evil = "n\x1b[31m\u009b\u202e\u200b\ttwo\nx"
	run := func(args ...string) string {
		t.Helper()
		_, out, errOut := command(t, "", append(args, "--data", data)...)
		if strings.ContainsAny(out+errOut, "\x1b\u009b\u202e\u200b") {
			t.Errorf("%v: %q %q", args, out, errOut)
		}
		return out + errOut
	}
	run("key", "add", evil)
	if out := run("key", "list"); strings.Count(out, "\n") != 2 || !strings.Contains(out, `n\u001b[31m\u009b\u202e\u200b\u0009two\u000ax`) {
		t.Errorf("%q", out)
	}
	var keys []struct{ Name string }
	if err := json.Unmarshal([]byte(run("key", "list", "--json")), &keys); err != nil || len(keys) != 1 || keys[0].Name != evil {
		t.Errorf("%+v %v", keys, err)
	}
	run("key", "revoke", evil)
	run("key", "revoke", evil+"?")
	run("connection", "show", evil)
	run("queue", "list", "--tag", evil, "--state", evil)
}
