package registry

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
)

// fieldPaths gives the JSON paths of all settings, by the type.
func fieldPaths(t reflect.Type, prefix string, each func(path string)) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			fieldPaths(f.Type, prefix, each)
		case goneInto(prefix + name):
			fieldPaths(f.Type.Elem(), prefix+name+".", each)
		default:
			each(prefix + name)
		}
	}
}

// A setting that is added must say what it means for the credential.
func TestEverySettingHasARole(t *testing.T) {
	t.Parallel()
	known := roles()
	left := maps.Clone(known)
	fieldPaths(reflect.TypeFor[gateway.Connection](), "", func(path string) {
		delete(left, path)
		if last, ok := strings.CutPrefix(path, "smtp.oauth."); ok {
			_, graph := known["graph."+last]
			_, gmail := known["gmail."+last]
			_, own := known[path]
			if !graph && !gmail && !own {
				t.Errorf("%s has no role: say in roles() whether it is a credential, a destination or free", path)
			}
			return
		}
		if _, ok := known[path]; !ok {
			t.Errorf("%s has no role: say in roles() whether it is a credential, a destination or free", path)
		}
	})
	for path := range left {
		t.Errorf("roles() has %s, which no connection has", path)
	}
}

// credentialKinds are connections, one with each kind of credential.
func credentialKinds() map[string]*gateway.Connection {
	out := map[string]*gateway.Connection{}
	graph := func(change func(*adapters.GraphSettings)) adapters.GraphSettings {
		g := adapters.GraphSettings{Tenant: "contoso.it", ClientID: "app", Cloud: "gcchigh", Mailbox: "erp@contoso.it",
			AuthorityURL: "https://login.example", GraphURL: "https://graph.example"}
		change(&g)
		return g
	}
	google := func(change func(*adapters.GmailSettings)) adapters.GmailSettings {
		g := adapters.GmailSettings{Subject: "erp@contoso.it", TokenURL: "https://token.example", GmailURL: "https://gmail.example"}
		change(&g)
		return g
	}
	smtp := func() *adapters.SMTPSettings {
		return &adapters.SMTPSettings{Host: "smtp.example.com", Port: 2587, Encryption: adapters.EncryptionTLS, Login: "erp", Auth: "plain",
			SourceAddress: "192.0.2.1", CAFile: "/etc/ca.pem", AllowInsecure: true}
	}
	add := func(name string, c gateway.Connection) {
		c.ID, c.Name, c.From = "id", name, "erp@contoso.it"
		out[name] = &c
	}
	for name, change := range map[string]func(*adapters.GraphSettings){
		"secret":      func(g *adapters.GraphSettings) { g.ClientSecret = "geheim" },
		"certificate": func(g *adapters.GraphSettings) { g.CertificateFile, g.CertificatePassword = "/etc/erp.pfx", "geheim" },
		"federation":  func(g *adapters.GraphSettings) { g.FederatedTokenFile = "/run/token" },
		"machine":     func(g *adapters.GraphSettings) { g.ManagedIdentity = true },
	} {
		g := graph(change)
		add("graph "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.Graph, Graph: &g}})
		s := smtp()
		s.OAuth = &adapters.OAuthSettings{Provider: "entra", GraphSettings: g}
		add("smtp entra "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, SMTP: s}})
	}
	for name, change := range map[string]func(*adapters.GmailSettings){
		"json": func(g *adapters.GmailSettings) { g.ServiceAccountJSON = "{}" },
		"file": func(g *adapters.GmailSettings) { g.ServiceAccountFile = "/etc/key.json" },
	} {
		g := google(change)
		add("gmail "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.Gmail, Gmail: &g}})
		s := smtp()
		s.OAuth = &adapters.OAuthSettings{Provider: "google", GmailSettings: g}
		add("smtp google "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, SMTP: s}})
	}
	s := smtp()
	s.Password = "geheim"
	add("smtp password", gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, SMTP: s}})
	return out
}

// fieldAt finds a setting of c by its path.
func fieldAt(v reflect.Value, path string) (reflect.Value, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if found, ok := fieldAt(v.Field(i), path); ok {
				return found, true
			}
			continue
		}
		if own, _, _ := strings.Cut(f.Tag.Get("json"), ","); own != name {
			continue
		}
		switch {
		case !deeper:
			return v.Field(i), true
		case v.Field(i).IsNil():
			return reflect.Value{}, false
		}
		return fieldAt(v.Field(i).Elem(), rest)
	}
	return reflect.Value{}, false
}

// Every setting that decides where a credential goes, times every kind of
// credential, changed and cleared, by an administrator and by somebody else.
func TestCredentialStaysWhereItWasGivenFor(t *testing.T) {
	t.Parallel()
	n, known := 0, roles()
	for kind, old := range credentialKinds() {
		given, was := map[string]bool{}, settings(old)
		for path := range was {
			if known.of(path)&credential != 0 {
				given[path] = true
			}
		}
		fieldPaths(reflect.TypeFor[gateway.Connection](), "", func(path string) {
			for _, clear := range []bool{false, true} {
				next := old.Clone()
				f, ok := fieldAt(reflect.ValueOf(next).Elem(), path)
				if !ok || clear && f.IsZero() {
					return
				}
				before := f.Interface()
				switch {
				case clear:
					f.SetZero()
				case f.Kind() == reflect.String:
					f.SetString("other.example")
				case f.Kind() == reflect.Int || f.Kind() == reflect.Int64:
					f.SetInt(4465)
				case f.Kind() == reflect.Bool:
					f.SetBool(!f.Bool())
				default: // lists and objects of no consequence
				}
				r := known.of(path)
				// A mailbox that From names all the same is no other one.
				is := settings(next)
				moves := r&destination != 0 && was[path] != is[path]
				if r&destination != 0 && !reflect.DeepEqual(before, f.Interface()) && !moves && !clear {
					t.Errorf("%s, %s changed: not seen", kind, path)
				}
				for _, admin := range []bool{true, false} {
					n++
					err := Edit{Old: old, Next: next, Admin: admin}.Check()
					if moves && err == nil {
						t.Errorf("%s, %s changed (cleared: %t) by admin (%t): the credential goes along", kind, path, clear, admin)
					}
					if r == free && err != nil {
						t.Errorf("%s, %s changed: %v", kind, path, err)
					}
					err = Edit{Old: old, Next: next, Given: given, Admin: admin}.Check()
					if admin && err != nil {
						t.Errorf("%s, %s changed, the credential given again: %v", kind, path, err)
					}
					own := strings.Contains(kind, "secret") || strings.Contains(kind, "password") || strings.Contains(kind, "json")
					if !admin && moves && err == nil && !own {
						t.Errorf("%s, %s moved by somebody who may not name files or machines", kind, path)
					}
					if !admin && moves && r&(mailbox|adminOnly) != 0 && !clear && is[path] != "" && !errors.Is(err, ErrAdminOnly) {
						t.Errorf("%s, %s by no administrator: %v", kind, path, err)
					}
				}
			}
		})
	}
	if n < 500 {
		t.Errorf("only %d cases", n)
	}
}

// A date belongs to the secret that it was entered with.
func TestSecretExpiresWithItsSecret(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ patch, want string }{
		{`{"name":"y"}`, "2027-03-31"}, {`{"smtp":{"password":"***"}}`, "2027-03-31"}, {`{"smtp":{"password":"new"}}`, ""},
		{`{"smtp":{"password":"new"},"secret_expires":"2028-01-01"}`, "2028-01-01"}, {`{"smtp":{"password":"old"}}`, "2027-03-31"},
		{`{"secret_expires":null}`, ""},
	} {
		old := &gateway.Connection{Connection: adapters.Connection{Name: "x", Provider: adapters.SMTP, From: "a@x.it",
			SMTP: &adapters.SMTPSettings{Host: "h.example", Login: "a", Password: "old"}}}
		old.SecretExpires = "2027-03-31"
		var patch map[string]any
		if err := json.Unmarshal([]byte(c.patch), &patch); err != nil {
			t.Fatal(err)
		}
		if next, err := Patch(old, patch, true); err != nil || next.SecretExpires != c.want {
			t.Errorf("%s: %+v, %v", c.patch, next, err)
		}
	}
}

func TestPatchAndReplaceKeepCredentials(t *testing.T) {
	t.Parallel()
	kinds := credentialKinds()
	for _, c := range []struct {
		name, kind, patch string
		admin             bool
		want              error
		field             string
	}{
		{name: "host", kind: "smtp password", patch: `{"smtp":{"host":"evil.example"}}`, admin: true, want: ErrGiveAgain, field: "smtp.password"},
		{name: "host with ***", kind: "smtp password", patch: `{"smtp":{"host":"evil.example","password":"***"}}`, admin: true,
			want: ErrGiveAgain},
		{name: "host with the password", kind: "smtp password", patch: `{"smtp":{"host":"evil.example","password":"geheim"}}`, admin: false},
		{name: "host without password", kind: "smtp password", patch: `{"smtp":{"host":"evil.example","password":null}}`},
		{name: "port cleared", kind: "smtp password", patch: `{"smtp":{"port":null}}`, admin: true, want: ErrGiveAgain},
		{name: "same host in other letters", kind: "smtp password", patch: `{"smtp":{"host":"SMTP.example.com"}}`},
		{name: "file", kind: "smtp google file", patch: `{"smtp":{"host":"evil.example"}}`, admin: true, want: ErrGiveAgain,
			field: "smtp.oauth.service_account_file"},
		{name: "file named again", kind: "smtp google file",
			patch: `{"smtp":{"host":"evil.example","oauth":{"service_account_file":"/etc/key.json"}}}`, admin: true},
		{name: "file named again by an operator", kind: "smtp google file",
			patch: `{"smtp":{"host":"evil.example","oauth":{"service_account_file":"/etc/key.json"}}}`, want: ErrGiveAgain},
		{name: "CA cleared by an operator", kind: "smtp google file", patch: `{"smtp":{"ca_file":""}}`, want: ErrGiveAgain},
		{name: "machine named again by an operator", kind: "smtp entra machine",
			patch: `{"smtp":{"host":"evil.example","oauth":{"managed_identity":true}}}`, want: ErrGiveAgain},
		{name: "machine for the first time by an operator", kind: "graph secret",
			patch: `{"graph":{"client_secret":null,"managed_identity":true}}`, want: ErrAdminOnly, field: "graph.managed_identity"},
		{name: "mailbox by an operator with the secret", kind: "graph secret",
			patch: `{"graph":{"mailbox":"ceo@contoso.it","client_secret":"geheim"}}`, want: ErrAdminOnly, field: "graph.mailbox"},
		// the secret is of another object: none is left
		{name: "provider", kind: "smtp entra secret",
			patch: `{"provider":"graph","smtp":null,"graph":{"tenant":"t","client_id":"c","client_secret":"***"}}`, want: ErrAdminOnly},
		{name: "rename", kind: "smtp password", patch: `{"name":"Neu","id":"other","fallback":["x"]}`},
	} {
		var patch map[string]any
		if err := json.Unmarshal([]byte(c.patch), &patch); err != nil {
			t.Fatal(err)
		}
		old := kinds[c.kind]
		next, err := Patch(old, patch, c.admin)
		if c.name == "provider" {
			if err == nil && next.Graph.ClientSecret != "" {
				t.Errorf("%s: the secret went along", c.name)
			}
			continue
		}
		var e *TrustError
		if !errors.Is(err, c.want) || errors.As(err, &e) && c.field != "" && e.Field != c.field {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil && next.ID != "id" {
			t.Errorf("%s: id %s", c.name, next.ID)
		}
	}
	// Names in other letters reach the same field: neither do they hide what is
	// done to the credential, nor are they passed over.
	for kind, patch := range map[string]string{
		"smtp password":     `{"smtp":{"host":"evil.example","password":"x","paſſword":"***"}}`,
		"smtp entra secret": `{"smtp":{"host":"evil.example","oauth":{"client_secret":"x","client_ſecret":"***"}}}`,
		"gmail json":        `{"gmail":{"token_url":"","service_account_json":"x","ſervice_account_json":"***"}}`,
		"graph secret":      `{"graph":{"cloud":"public","client_secret":"x"},"GRAPH":{"client_secret":"***"}}`,
		"smtp google json": `{"smtp":{"host":"evil.example","oauth":{"service_account_json":"x"}},` +
			`"ſmtp":{"oauth":{"service_account_json":"***"}}}`,
		"graph machine": `{"Graph":{"cloud":"public"}}`,
	} {
		var tree map[string]any
		if err := json.Unmarshal([]byte(patch), &tree); err != nil {
			t.Fatal(err)
		}
		var invalid *adapters.InvalidError
		if next, err := Patch(kinds[kind], tree, true); !errors.As(err, &invalid) {
			t.Errorf("%s: %+v, %v", patch, next, err)
		}
	}
	// Without a mailbox of its own, From is the mailbox.
	plain := kinds["graph secret"].Clone()
	plain.Graph.Mailbox = ""
	_, err := Patch(plain, map[string]any{"from": "ceo@contoso.it"}, false)
	var e *TrustError
	if !errors.As(err, &e) || e.Field != "from" {
		t.Errorf("from as the mailbox: %v", err)
	}
	// What was read and is written back keeps files only where nothing moved.
	for kind, old := range kinds {
		doc, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		if next, err := Replace(old, doc, false); err != nil ||
			!slices.EqualFunc(next.Secrets(), old.Secrets(), func(a, b adapters.SecretField) bool { return *a.Value == *b.Value }) {
			t.Errorf("%s written back: %v", kind, err)
		}
		moved := strings.NewReplacer("smtp.example.com", "evil.example", `"contoso.it"`, `"evil.example"`, "token.example",
			"evil.example").Replace(string(doc))
		if _, err := Replace(old, []byte(moved), true); !errors.Is(err, ErrGiveAgain) {
			t.Errorf("%s moved: %v", kind, err)
		}
	}
}
