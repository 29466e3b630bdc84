package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/clientcert"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/tokens/credential"
)

// A certWorld is a store and a sandbox, and all that was printed.
type certWorld struct {
	t    *testing.T
	sb   *sandbox.Sandbox
	data string
	ca   string
	all  strings.Builder
}

func newCertWorld(t *testing.T) *certWorld {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return &certWorld{t: t, sb: sb, data: filepath.Join(t.TempDir(), "data"), ca: sb.CAFile()}
}

// do runs one job and returns what it printed.
func (w *certWorld) do(job func(ConnectionCommands) error, stdin string) (string, error) {
	var out bytes.Buffer
	err := job(ConnectionCommands{Storage: Storage{Data: w.data}, Stdin: strings.NewReader(stdin), Stdout: &out})
	w.all.WriteString(out.String())
	if err != nil {
		w.all.WriteString(FailureOf(err, "it").String())
	}
	return out.String(), err
}

func (w *certWorld) must(job func(ConnectionCommands) error, stdin string) string {
	w.t.Helper()
	out, err := w.do(job, stdin)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// document is a connection to the sandbox with what a credential needs.
func (w *certWorld) document(name string, more map[string]any) string {
	w.t.Helper()
	s := graph.SettingsOf(w.sb.GraphConnection("erp@contoso.example"))
	settings := map[string]any{"tenant": s.Tenant, "client_id": s.ClientID, "authority_url": s.AuthorityURL, "graph_url": s.GraphURL}
	for k, v := range more {
		settings[k] = v
	}
	doc, err := json.Marshal(map[string]any{"name": name, "provider": "graph", "from": "erp@contoso.example", "graph": settings})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(doc)
}

// stored reads a connection with its secrets.
func (w *certWorld) stored(name string) (c *gateway.Connection, e *credential.Entra) {
	w.t.Helper()
	err := withStore(w.t.Context(), Storage{Data: w.data}, func(st store.Store) error {
		id, err := named(w.t.Context(), st, name)
		if err == nil {
			c, err = st.Connection(w.t.Context(), id)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c, clientcert.EntraOf(&c.Connection)
}

func (w *certWorld) upload(file string) {
	w.t.Helper()
	der, err := os.ReadFile(file)
	if err == nil {
		err = w.sb.UploadCertificate(der)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// A certificate takes over once a token has proven it; until then the old
// credential stays, and the private key is in no output and not in the database.
func TestCertificateRotation(t *testing.T) {
	t.Parallel()
	w := newCertWorld(t)
	w.must(func(k ConnectionCommands) error { return k.Add(t.Context(), "", ConnectionChanges{File: "-"}) },
		w.document("Ufficio", map[string]any{"client_secret": sandbox.ClientSecret}))
	cer := filepath.Join(t.TempDir(), "ufficio.cer")
	start := func(k ConnectionCommands) error {
		return k.CertificateNew(t.Context(), NewCertificate{Name: "ufficio", Days: 30, Out: cer})
	}
	activate := func(k ConnectionCommands) error { return k.CertificateActivate(t.Context(), "ufficio", w.ca) }

	if _, err := w.do(activate, ""); ExitCode(err) != ExitConfig {
		t.Errorf("nothing waits: %v", err)
	}
	if out := w.must(start, ""); !strings.Contains(out, "activate Ufficio") {
		t.Errorf("%s", out)
	}
	_, waiting := w.stored("ufficio")
	if _, err := w.do(start, ""); ExitCode(err) != ExitConfig || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("one waits: %v", err)
	}
	nowhere := NewCertificate{Name: "ufficio", Days: 30, Out: filepath.Join(t.TempDir(), "none", "x.cer"), Replace: true}
	if _, err := w.do(func(k ConnectionCommands) error { return k.CertificateNew(t.Context(), nowhere) }, ""); err == nil {
		t.Error("a file in no folder was written")
	}
	if _, e := w.stored("ufficio"); e.CertificateNext != waiting.CertificateNext {
		t.Error("the certificate that waits was replaced")
	}
	if _, err := w.do(activate, ""); ExitCode(err) != ExitNoPerm || !strings.Contains(err.Error(), "700027") {
		t.Errorf("before the upload: %v", err)
	}
	if _, e := w.stored("ufficio"); e.ClientSecret.Reveal() != sandbox.ClientSecret || e.CertificateNext == "" || e.Certificate != "" {
		t.Error("the old credential did not stay")
	}
	script := w.must(func(k ConnectionCommands) error { return k.Script(t.Context(), "ufficio", "", "entra") }, "")
	der, err := os.ReadFile(cer)
	if err != nil || !strings.Contains(strings.ReplaceAll(script, "\n", ""), base64.StdEncoding.EncodeToString(der)) {
		t.Errorf("the script uploads another certificate (%v)", err)
	}
	w.upload(cer)
	w.must(activate, "")
	_, e := w.stored("ufficio")
	first := e.Certificate
	if e.ClientSecret != "" || first == "" || e.CertificateNext != "" {
		t.Errorf("%+v", e)
	}

	w.must(start, "") // and once more, certificate to certificate
	if c, e := w.stored("ufficio"); e.Certificate != first || proveToken(t.Context(), &c.Connection, roots(t, w.ca)) != nil {
		t.Error("the certificate in use is not used any more")
	}
	w.upload(cer)
	w.must(activate, "")
	if _, e := w.stored("ufficio"); e.Certificate == first || e.CertificateNext != "" {
		t.Error("the second certificate is not in use")
	}
	w.noSecrets(sandbox.ClientSecret)
}

// A connection that has no credential yet gets a certificate as its first one.
func TestCertificateFirst(t *testing.T) {
	t.Parallel()
	w := newCertWorld(t)
	file := filepath.Join(t.TempDir(), "nuova.json")
	if err := os.WriteFile(file, []byte(w.document("Nuova", nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := w.must(func(k ConnectionCommands) error {
		return k.CertificateNew(t.Context(), NewCertificate{File: file, Days: 365})
	}, "")
	c, e := w.stored("nuova")
	public, err := clientcert.Of(e.Certificate)
	if err != nil || c.IsActive() || !strings.Contains(out, public.PEM()) || !strings.Contains(out, public.Thumbprint()) {
		t.Errorf("active %v, %v\n%s", c.IsActive(), err, out)
	}
	activate := func(k ConnectionCommands) error { return k.CertificateActivate(t.Context(), "nuova", w.ca) }
	if _, err := w.do(activate, ""); err == nil {
		t.Error("active before the upload")
	}
	if err := w.sb.UploadCertificate(public.DER()); err != nil {
		t.Fatal(err)
	}
	w.must(activate, "")
	if c, _ := w.stored("nuova"); !c.IsActive() {
		t.Error("not switched on")
	}
	if out := w.must(func(k ConnectionCommands) error { return k.CertificateShow(t.Context(), "nuova") }, ""); !strings.Contains(out,
		public.Thumbprint()) {
		t.Errorf("%s", out)
	}
	w.noSecrets()
}

// noSecrets looks for private keys in what was printed and in the database.
func (w *certWorld) noSecrets(more ...string) {
	w.t.Helper()
	texts := map[string]string{"output": w.all.String()}
	files, err := filepath.Glob(filepath.Join(w.data, "postino.db*"))
	if err != nil || len(files) == 0 {
		w.t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		texts[f] = string(b)
	}
	for where, s := range texts {
		for _, secret := range append(more, "PRIVATE KEY") {
			if strings.Contains(s, secret) {
				w.t.Errorf("%q is in %s", secret, where)
			}
		}
	}
}

func TestScriptOfConnections(t *testing.T) {
	t.Parallel()
	w := newCertWorld(t)
	script := func(doc, target string) (string, error) {
		return w.do(func(k ConnectionCommands) error { return k.Script(context.Background(), "", "-", target) }, doc)
	}
	for _, c := range []struct{ doc, target, want string }{
		{`{"name":"a","provider":"graph","from":"erp@contoso.it","graph":{"tenant":"contoso.it"}}`, "entra", "$tenant = 'contoso.it'"},
		{`{"name":"a","provider":"graph","from":"*@contoso.it","graph":{"tenant":"t","client_id":"c"}}`, "exchange", "$domain = 'contoso.it'"},
		{`{"name":"a","provider":"graph","from":"*@contoso.it","graph":{"tenant":"t","client_id":"c","mailbox":"m@contoso.it"}}`, "exchange",
			"$mailboxes = @('m@contoso.it')"},
		{`{"name":"a","provider":"graph","from":"info@contoso.it","graph":{"tenant":"t","client_id":"c","mailbox":"m@contoso.it"}}`, "exchange",
			"foreach ($address in @('info@contoso.it'))"},
		{`{"name":"a","provider":"smtp","from":"m@contoso.it","smtp":{"host":"smtp.office365.com","login":"m@contoso.it","oauth":` +
			`{"provider":"entra","tenant":"t","client_id":"c"}}}`, "exchange", "Set-CASMailbox"},
		{`{"name":"a","provider":"gmail","from":"m@contoso.it","gmail":{"service_account_json":"{\"client_email\":` +
			`\"x@p.iam.gserviceaccount.com\",\"client_id\":\"123\",\"project_id\":\"p\",\"private_key\":\"segreto\"}"}}`, "google",
			"clientIdToAdd=123&"},
	} {
		if out, err := script(c.doc, c.target); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", c.doc, err, out)
		}
	}
	if _, err := script(`{"name":"a","provider":"smtp","from":"m@contoso.it","smtp":{"host":"h.it"}}`, "entra"); ExitCode(err) != ExitConfig {
		t.Errorf("%v", err)
	}
	if strings.Contains(w.all.String(), "segreto") {
		t.Error("a secret is in a script")
	}
}

func roots(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pool, err := loadRoots(file)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}
