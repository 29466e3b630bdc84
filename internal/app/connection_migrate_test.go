package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A connection with a password is replaced by one to Graph, with its waiting mail,
// and comes back; one that does not work replaces nothing.
func TestMigrate(t *testing.T) {
	t.Parallel()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	var out bytes.Buffer
	k := ConnectionCommands{Storage: Storage{Data: filepath.Join(dir, "data")}, Language: "it", Stdout: &out, Wait: 10 * time.Millisecond,
		Getenv: func(string) string { return "" }}
	file := filepath.Join(dir, "new.json")
	write := func(c *adapters.Connection, secret string) {
		t.Helper()
		doc, err := sandbox.ConnectionJSON(c)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(doc, &tree); err != nil {
			t.Fatal(err)
		}
		g, ok := tree["graph"].(map[string]any)
		if !ok {
			t.Fatalf("%s", doc)
		}
		g["client_secret"] = secret
		if doc, err = json.Marshal(map[string]any{"graph": g}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	graphConnection := sb.GraphConnection("erp@contoso.it")
	var old *gateway.Connection
	var delivery store.ID
	inStore := func(work func(store.Store) error) {
		t.Helper()
		if err := withNewStore(t.Context(), k.Storage, work); err != nil {
			t.Fatal(err)
		}
	}
	inStore(func(st store.Store) error {
		c := &gateway.Connection{Connection: *sb.SMTPConnection("erp@contoso.it")}
		c.Name, c.From, c.Default = "Ufficio", graphConnection.From, gateway.DefaultUnrouted
		if old, err = st.PutConnection(t.Context(), time.Now(), c); err != nil {
			return err
		}
		to := []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}
		msg := "From: " + c.From + "\r\nMessage-ID: <1@x>\r\n\r\n"
		done, err := st.Submit(t.Context(), store.Submission{Now: time.Now(), Messages: []store.NewMessage{{
			Message: store.Message{MessageID: "<1@x>", From: mailboxtest.Of(c.From),
				Envelope:   mime.Envelope{From: mailboxtest.Of(c.From), Recipients: to},
				ReceivedAt: time.Now()},
			Head: []byte(msg), Body: mime.Bytes([]byte("ciao\r\n")),
			Deliveries: []store.NewDelivery{{Recipients: to, ExpiresAt: time.Now().Add(time.Hour),
				Route: store.Route{Connection: old.ID, Lane: old.Lane(mailboxtest.Of(c.From)), Limits: old.EffectiveLimits()}}}}}})
		if err == nil {
			delivery = done[0].Deliveries[0]
		}
		return err
	})
	routed := func() string {
		t.Helper()
		var names []string
		inStore(func(st store.Store) error {
			all, err := st.Connections(t.Context())
			for _, c := range all {
				names = append(names, c.Name+" from="+c.From+" default="+string(c.Default)+" fallback="+strings.Join(c.Fallback, ","))
			}
			d, derr := st.Delivery(t.Context(), delivery)
			if derr != nil {
				return derr
			}
			for _, c := range all {
				if c.ID == d.Route.Connection {
					names = append(names, "mail: "+c.Name)
				}
			}
			return err
		})
		return strings.Join(names, "; ")
	}
	before := routed()
	m := Migration{To: "graph", File: file, CAFile: sb.CAFile()}
	write(graphConnection, "wrong")
	if err := k.Migrate(t.Context(), "Ufficio", m); ExitCode(err) != ExitNoPerm {
		t.Errorf("a secret that is refused: %v\n%s", err, out.String())
	}
	var doc bytes.Buffer
	j := k
	j.JSON, j.Stdout = true, &doc
	if err := j.Migrate(t.Context(), "Ufficio", m); ExitCode(err) != ExitNoPerm || !strings.Contains(doc.String(), `"ok": false`) {
		t.Errorf("--json: %v\n%s", err, doc.String())
	}
	if got := routed(); got != before {
		t.Errorf("a failed test changed %q into %q", before, got)
	}
	for _, f := range graphConnection.Secrets() {
		if strings.HasSuffix(f.Path, "client_secret") {
			write(graphConnection, f.Value.Reveal())
		}
	}
	if err := k.Migrate(t.Context(), "Ufficio", m); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	from := graphConnection.From
	if got := routed(); got != "Ufficio from= default=no fallback=; Ufficio (graph) from="+from+" default=unrouted fallback=Ufficio; "+
		"mail: Ufficio (graph)" {
		t.Error(got)
	}
	if err := k.Migrate(t.Context(), "Ufficio", m); ExitCode(err) != ExitConfig {
		t.Errorf("twice: %v", err)
	}
	if err := k.Migrate(t.Context(), "Ufficio", Migration{Undo: true}); err != nil {
		t.Fatal(err)
	}
	if got := routed(); got != before {
		t.Errorf("taken back: %q, want %q", got, before)
	}
	if err := k.Migrate(t.Context(), "Ufficio", Migration{Undo: true}); ExitCode(err) != ExitUsage {
		t.Errorf("nothing to take back: %v", err)
	}
	if s := out.String(); !strings.Contains(s, "prende il posto di") || !strings.Contains(s, "un messaggio in attesa passa") {
		t.Error(s)
	}
}
