package registry

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/tokens/credential"
)

// eachField calls each for all settings of an object, by the type.
func eachField(t reflect.Type, prefix string, each func(path string, tag reflect.StructTag)) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			eachField(f.Type, prefix, each)
		case name == "-":
		case goneInto(f.Type):
			eachField(f.Type.Elem(), prefix+name+".", each)
		default:
			each(prefix+name, f.Tag)
		}
	}
}

// A setting that is added must say what it means for the credential, in words that
// are known.
func TestEverySettingHasARole(t *testing.T) {
	t.Parallel()
	left := common()
	eachField(reflect.TypeFor[gateway.Connection](), "", func(path string, _ reflect.StructTag) {
		if _, ok := left[path]; !ok {
			t.Errorf("%s has no role: say in common() what it means for the credential", path)
		}
		delete(left, path)
	})
	for path := range left {
		t.Errorf("common() has %s, which no connection has", path)
	}
	words := []string{"credential", "destination", "mailbox", "admin", "free"}
	for provider, settings := range all.Providers() {
		eachField(reflect.TypeOf(settings()).Elem(), string(provider)+".", func(path string, tag reflect.StructTag) {
			for word := range strings.SplitSeq(tag.Get(trustTag), ",") {
				if !slices.Contains(words, word) {
					t.Errorf(`%s: trust:%q says %q, which is none of %v`, path, tag.Get(trustTag), word, words)
				}
			}
		})
	}
}

// credentialKinds are connections, one with each kind of credential.
func credentialKinds() map[string]*gateway.Connection {
	out := map[string]*gateway.Connection{}
	onGraph := func(change func(*graph.Settings)) graph.Settings {
		g := graph.Settings{Entra: credential.Entra{Tenant: "contoso.it", ClientID: "app", Cloud: "gcchigh",
			AuthorityURL: "https://login.example"}, Mailbox: "erp@contoso.it", GraphURL: "https://graph.example"}
		change(&g)
		return g
	}
	onGmail := func(change func(*gmail.Settings)) gmail.Settings {
		g := gmail.Settings{Google: credential.Google{Subject: "erp@contoso.it", TokenURL: "https://token.example"},
			GmailURL: "https://gmail.example"}
		change(&g)
		return g
	}
	smtp := func() *fallback.Settings {
		return &fallback.Settings{Host: "smtp.example.com", Port: 2587, Encryption: fallback.EncryptionTLS, Login: "erp", Auth: "plain",
			SourceAddress: "192.0.2.1", CAFile: "/etc/ca.pem", AllowInsecure: true}
	}
	add := func(name string, c gateway.Connection) {
		c.ID, c.Name, c.From = "id", name, "erp@contoso.it"
		out[name] = &c
	}
	for name, change := range map[string]func(*graph.Settings){
		"secret":      func(g *graph.Settings) { g.ClientSecret = "geheim" },
		"certificate": func(g *graph.Settings) { g.CertificateFile, g.CertificatePassword = "/etc/erp.pfx", "geheim" },
		"federation":  func(g *graph.Settings) { g.FederatedTokenFile = "/run/token" },
		"machine":     func(g *graph.Settings) { g.ManagedIdentity = true },
	} {
		g := onGraph(change)
		add("graph "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.Graph, Settings: &g}})
		s := smtp()
		s.OAuth = &fallback.OAuth{Provider: "entra", Entra: g.Entra}
		add("smtp entra "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, Settings: s}})
	}
	for name, change := range map[string]func(*gmail.Settings){
		"json": func(g *gmail.Settings) { g.ServiceAccountJSON = "{}" },
		"file": func(g *gmail.Settings) { g.ServiceAccountFile = "/etc/key.json" },
	} {
		g := onGmail(change)
		add("gmail "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.Gmail, Settings: &g}})
		s := smtp()
		s.OAuth = &fallback.OAuth{Provider: "google", Google: g.Google}
		add("smtp google "+name, gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, Settings: s}})
	}
	s := smtp()
	s.Password = "geheim"
	add("smtp password", gateway.Connection{Connection: adapters.Connection{Provider: adapters.SMTP, Settings: s}})
	return out
}

// settingAt finds a setting of c by its path.
func settingAt(c *gateway.Connection, path string) (reflect.Value, bool) {
	if own, ok := strings.CutPrefix(path, string(c.Provider)+"."); ok {
		return fieldAt(reflect.ValueOf(c.Settings).Elem(), own)
	}
	return fieldAt(reflect.ValueOf(c).Elem(), path)
}

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
	n := 0
	for kind, old := range credentialKinds() {
		given, was := map[string]bool{}, settings(old)
		for path, set := range was {
			if set.role&proof != 0 {
				given[path] = true
			}
		}
		each := func(path string, r role) {
			for _, clear := range []bool{false, true} {
				next := old.Clone()
				f, ok := settingAt(next, path)
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
				// A mailbox that From names all the same is no other one.
				is := settings(next)
				moves := r&destination != 0 && was[path] != is[path] && path != "provider" // its settings go with it
				if r&destination != 0 && !reflect.DeepEqual(before, f.Interface()) && !moves && !clear && path != "provider" {
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
					if !admin && moves && r&(mailbox|adminOnly) != 0 && !clear && is[path].value != "" && !errors.Is(err, ErrAdminOnly) {
						t.Errorf("%s, %s by no administrator: %v", kind, path, err)
					}
				}
			}
		}
		eachField(reflect.TypeFor[gateway.Connection](), "", func(path string, _ reflect.StructTag) { each(path, common()[path]) })
		eachField(reflect.TypeOf(old.Settings).Elem(), string(old.Provider)+".",
			func(path string, tag reflect.StructTag) { each(path, roleOf(tag)) })
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
			Settings: &fallback.Settings{Host: "h.example", Login: "a", Password: "old"}}}
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
			if err == nil && graph.SettingsOf(&next.Connection).ClientSecret != "" {
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
	graph.SettingsOf(&plain.Connection).Mailbox = ""
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
