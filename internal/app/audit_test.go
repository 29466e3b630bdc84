package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/tokens/credential"
)

const erpTable = "Programma;Server SMTP;Porta;Crittografia;Utente;Password;Mittente\r\n" +
	"Fatture;smtp.office365.com;587;STARTTLS;fatture@contoso.it;Segretissima-1;fatture@contoso.it\r\n" +
	"Solleciti;smtps.aruba.it;465;SSL;solleciti@contoso.it;Segretissima-2;solleciti@contoso.it\r\n"

// The question of the year: which of our programs will still send?
func TestAudit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "erp.csv")
	if err := os.WriteFile(file, []byte(erpTable), 0o600); err != nil {
		t.Fatal(err)
	}
	storage := Storage{Data: filepath.Join(dir, "data")}
	run := func(lang string, asJSON bool, tables ...string) string {
		t.Helper()
		var out bytes.Buffer
		k := AuditCommands{Storage: storage, JSON: asJSON, Language: lang, Stdin: strings.NewReader(erpTable), Stdout: &out}
		if err := k.Audit(t.Context(), tables); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "Segretissima") {
			t.Errorf("a secret is shown: %s", out.String())
		}
		return out.String()
	}
	// Without any store the table alone is looked at.
	if got := run("it", false, file); !strings.Contains(got, "SCADE 2026-12-31  Fatture (riga 2), smtp.office365.com:587") ||
		!strings.Contains(got, "'postino client add fatture --sender fatture@contoso.it'") {
		t.Error(got)
	}
	err := withNewStore(t.Context(), storage, func(st store.Store) error {
		now := time.Now()
		old, err := st.PutConnection(t.Context(), now, &gateway.Connection{Connection: adapters.Connection{Name: "Ufficio",
			Provider: adapters.SMTP, From: "erp@contoso.it",
			Settings: &fallback.Settings{Host: "smtp.office365.com", Login: "erp@contoso.it", Password: "segreto"}}})
		if err != nil {
			return err
		}
		good, err := st.PutConnection(t.Context(), now, &gateway.Connection{Connection: adapters.Connection{Name: "Graph",
			Provider: adapters.Graph, From: "fatture@contoso.it", Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c",
				ClientSecret: "segreto"}}}})
		if err != nil {
			return err
		}
		c, err := st.PutClient(t.Context(), store.Client{Name: "erp"})
		if err != nil {
			return err
		}
		return st.SawPrograms(context.WithoutCancel(t.Context()), []store.Program{
			{Client: c.ID, Digest: "1", EntryPoint: "smtp", Address: "192.168.1.40", Hello: "scanner", TLS: "TLS 1.2", From: "erp@contoso.it",
				Connection: old.ID, Messages: 7, FirstAt: now, LastAt: now},
			{Client: c.ID, Digest: "2", EntryPoint: "smtp", Agent: "ERP 9", From: "fatture@contoso.it", Connection: good.ID, Messages: 1,
				FirstAt: now, LastAt: now},
			{Client: c.ID, Digest: "3", EntryPoint: "smtp", Hello: "old", From: "x@contoso.it", Connection: "gone", Messages: 1, FirstAt: now,
				LastAt: now}}, 64)
	})
	if err != nil {
		t.Fatal(err)
	}
	var r view.RetirementReport
	if err := json.Unmarshal([]byte(run("en", true, "-")), &r); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range r.Items {
		got[x.Name] = x.Verdict
		if x.Name == "Fatture" && x.SeenHere.IsZero() {
			t.Error("Fatture submits here already")
		}
	}
	for name, want := range map[string]string{"Ufficio": "ends", "Fatture": "ends", "Graph": "stays", "Solleciti": "silent"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	var hands []string
	for _, p := range r.Programs {
		hands = append(hands, p.Client+" "+programName(&p)+" "+p.Route+" "+p.Verdict)
	}
	if want := "erp scanner Ufficio ends, erp old  check, erp ERP 9 Graph stays"; strings.Join(hands, ", ") != want {
		t.Errorf("%q, want %q", hands, want)
	}
	text := run("it", false, file)
	for _, want := range []string{"2 di 4 modi", "postino connection migrate \"Ufficio\" --to graph", "SCADE 2026-12-31", "da guardare"} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	var out bytes.Buffer
	k := AuditCommands{Storage: storage, Language: "en", Stdout: &out}
	if err := k.Programs(t.Context(), "erp"); err != nil || !strings.Contains(out.String(), "192.168.1.40") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
