//go:build linux

package main

import (
	"strings"
	"testing"
)

// Clients, keys and webhooks are made by questions where the flags say nothing.
func TestByQuestions(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	run := func(line string, answers ...string) *dialogue {
		t.Helper()
		d := talk(t, append(strings.Fields(line), "--data", data, "--lang", "it")...)
		for i := 0; i < len(answers); i += 2 {
			d.answer(answers[i], answers[i+1])
		}
		if code := d.end(); code != 0 {
			t.Fatalf("%s: exit %d:\n%s", line, code, d.text())
		}
		return d
	}
	if d := run("client add", "Nome del programma", "con spazio", "Nome del programma", "gestionale", "Mittenti", "*@contoso.it",
		"Indirizzi da cui", ""); !d.says("pc_") {
		t.Errorf("a client without a secret:\n%s", d.text())
	}
	if d := run("client add", "Nome del programma", "scanner", "Mittenti", "", "Indirizzi da cui",
		"192.0.2.7"); strings.Contains(d.text(), "pc_") {
		t.Errorf("a client of a network with a secret:\n%s", d.text())
	}
	_, out, _ := command(t, "", "client", "list", "--json", "--data", data)
	for _, want := range []string{`"gestionale"`, `"*@contoso.it"`, `"192.0.2.7/32"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	if d := run("key add", "A che cosa serve", "negozio", "Appartiene a", "1", "Nome del client", "gestionale"); !d.says("pk_") {
		t.Errorf("no key:\n%s", d.text())
	}
	_, out, _ = command(t, "", "key", "list", "--data", data)
	if !strings.Contains(out, "negozio") || !strings.Contains(out, "gestionale") {
		t.Errorf("keys: %s", out)
	}
	d := run("webhook add", "Indirizzo a cui", "http://example.com/", "Indirizzo a cui", "https://example.com/hook", "Tipi di eventi",
		"delivery.failed, delivery.sent", "Solo gli eventi", "")
	if !d.says("whsec_") {
		t.Errorf("no secret:\n%s", d.text())
	}
	_, out, _ = command(t, "", "webhook", "list", "--json", "--data", data)
	if !strings.Contains(out, "delivery.sent") || !strings.Contains(out, "https://example.com/hook") {
		t.Errorf("webhooks: %s", out)
	}
}
