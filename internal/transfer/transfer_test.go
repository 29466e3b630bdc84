package transfer

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/text/encoding/charmap"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
)

const password = "pa55=word;€"

func parse(t *testing.T, doc string) *gateway.Connection {
	t.Helper()
	c, err := gateway.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	c.ID, c.Revision = "01k8q2z6m3v5x7y9a0b1c2d3e4", 3
	return c
}

// stored are connections with every kind of setting.
func stored(t *testing.T) []*gateway.Connection {
	t.Helper()
	return []*gateway.Connection{
		parse(t, `{"name":"=Aruba; \"uno\"","provider":"smtp","from":"*@contoso.it","display_name":"'+39","aliases":["a@contoso.it","*@b.it"],
			"fallback":["x, y","z"],"active":false,"default":"always","class":"bulk","owner":"p1","limits":{"per_minute":0},
			"retry":{"first_seconds":5},"smtp":{"host":"smtps.aruba.it","port":465,"login":"a@contoso.it","password":"`+password+`",
			"without":["CHUNKING"],"hostname":"mx.contoso.it"}}`),
		parse(t, `{"name":"Ufficio","provider":"graph","from":"erp@contoso.it","graph":{"tenant":"contoso.it",
			"client_id":"11111111-1111-1111-1111-111111111111","client_secret":"`+password+`"}}`),
	}
}

func people() map[string]string { return map[string]string{"p1": "anna@contoso.it"} }

// steps is the plan of what Read reads, over what is stored.
func steps(t *testing.T, o Options, content []byte, had []*gateway.Connection) ([]connections.Step, error) {
	t.Helper()
	docs, err := o.Read(bytes.NewReader(content), Auto)
	if err != nil {
		return nil, err
	}
	return connections.Planner{Stored: had, People: people(), Admin: true, Prune: true}.Plan(docs)
}

// What is exported says of the connections that are there that nothing is to do.
func TestExportIsIdempotent(t *testing.T) {
	t.Parallel()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for what, e := range map[string]Export{
		"JSON":            {},
		"CSV":             {Format: CSV},
		"Italian CSV":     {Format: CSV, Separator: ";"},
		"plain CSV":       {Format: CSV, Plain: true, Separator: "\t"},
		"JSON, sealed":    {To: []age.Recipient{key.Recipient()}},
		"CSV, sealed":     {Format: CSV, To: []age.Recipient{key.Recipient()}},
		"JSON, in clear":  {Clear: true},
		"CSV, in clear":   {Format: CSV, Clear: true, Separator: ";"},
		"owners by id":    {},
		"without secrets": {Format: CSV},
	} {
		if e.People = people(); what == "owners by id" {
			e.People = nil
		}
		var b bytes.Buffer
		if err := e.Write(&b, stored(t)); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if strings.Contains(b.String(), password) != e.Clear || strings.Contains(b.String(), adapters.Redacted) {
			t.Errorf("%s: a secret stands in it, or does not:\n%s", what, b.String())
		}
		got, err := steps(t, Options{Identities: []age.Identity{key}}, b.Bytes(), stored(t))
		if err != nil || len(got) > 0 {
			t.Errorf("%s: %+v, %v\n%s", what, got, err, b.String())
		}
		if !e.Clear && len(e.To) == 0 {
			continue
		}
		// On another machine the secrets come along.
		got, err = steps(t, Options{Identities: []age.Identity{key}}, b.Bytes(), nil)
		if err != nil || len(got) != 2 || *got[0].Next.Secrets()[0].Value != password || *got[1].Next.Secrets()[0].Value != password {
			t.Errorf("%s, elsewhere: %+v, %v", what, got, err)
		}
	}
}

// A table as Italian Excel writes it.
func TestItalianTable(t *testing.T) {
	t.Parallel()
	text := "Nome;Mittente;Server;Porta;Utente;Password;Attiva;Messaggi al minuto;Altri mittenti;Crittografia\r\n" +
		"Perché;shop@contoso.it;smtps.aruba.it;465;shop@contoso.it;'=più;Sì;30;\"a@contoso.it; b@contoso.it\";SSL/TLS\r\n;;;;;;;;;\r\n"
	encoded, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string]string{"UTF-8": text, "with a mark": "\ufeff" + text, "Windows-1252": encoded,
		"sep": "sep=;\r\n" + text} {
		got, err := steps(t, Options{}, []byte(content), nil)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", what, got, err)
			continue
		}
		c := got[0].Next
		if c.Name != "Perché" || c.Provider != adapters.SMTP || *c.Secrets()[0].Value != "=più" || *c.Limits.PerMinute != 30 ||
			len(c.Aliases) != 2 || !*c.Active || fallback.SettingsOf(&c.Connection).Encryption != "tls" {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

// A row says nothing of what it has no column for, and an empty cell removes.
func TestRowsChangeWhatTheyName(t *testing.T) {
	t.Parallel()
	had := stored(t)
	got, err := steps(t, Options{},
		[]byte("name,display name,limits.per_minute\nufficio,\"Ufficio, vendite\",7\n\"=ARUBA; \"\"uno\"\"\",,\n"), had)
	if err != nil || len(got) != 2 || strings.Join(got[0].Fields, " ") != "display_name limits.per_minute name" ||
		strings.Join(got[1].Fields, " ") != "display_name limits.per_minute name" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[1].Next.Limits.PerMinute != nil || *got[1].Next.Secrets()[0].Value != password {
		t.Errorf("%+v", got[1].Next)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	const one = `{"name":"a","provider":"smtp","from":"a@x.it","smtp":{"host":"h.x.it"}`
	for content, want := range map[string]string{
		"":                       "the table is empty",
		"name,hots\na,b\n":       `"hots" is no column`,
		"from,host\na@x.it,h\n":  "no column is called name",
		"name,nome\na,b\n":       "two columns are name",
		"name\na,b\n":            `"b" stands below no column`,
		"name,port\na,x\nb,y\n":  "line 3: smtp.port: \"y\" is no number",
		"name,active\na,maybe\n": "neither yes nor no",
		"name,host,from\na,h.x.it,a@x.it\nA,h.x.it,a@x.it\n": "connection :3 has no name, or that of another one",
		"[1]":                            "no JSON",
		"{":                              "no JSON",
		"null":                           "",
		"[" + one + `,"smpt":{}}]`:       "smpt",
		"[" + one + `,"sealed":7}]`:      "cut or changed",
		"[" + one + `,"sealed":"eA=="}]`: "--identity",
		"name,sealed\na,eA==\n":          "--identity",
		"[" + one + `,"default":"always"},` + strings.Replace(one, `"a"`, `"b"`, 1) + `,"default":"unrouted"}]`: "only one can be",
		"name = 3\n[smtp]\nhost = [\n":      "TOML",
		"x = 1\n[[connection]]\nname = 'a'": "[[connection]]",
		`[{"name":"a","provider":"smtp","from":"a@x.it","smtp":{"host":"h.x.it","login":"l","password":"***"}}]`: "smtp.password",
	} {
		_, err := steps(t, Options{}, []byte(content), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

// Sealed secrets go to the server, account and mailbox that they were for, and to no other.
func TestSealedSecretsStayWhereTheyWere(t *testing.T) {
	t.Parallel()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := (Export{To: []age.Recipient{key.Recipient()}}).Write(&b, stored(t)); err != nil {
		t.Fatal(err)
	}
	open := Options{Identities: []age.Identity{key}}
	for _, change := range [][2]string{{"smtps.aruba.it", "smtps.evil.example"}, {`"login": "a@contoso.it"`, `"login": "b@contoso.it"`},
		{`"port": 465`, `"port": 587`}, {`"tenant": "contoso.it"`, `"tenant": "evil.example"`}} {
		changed := strings.Replace(b.String(), change[0], change[1], 1)
		if changed == b.String() {
			t.Fatalf("%s does not stand in the export", change[0])
		}
		for what, had := range map[string][]*gateway.Connection{"stored": stored(t), "new": nil} {
			if _, err := steps(t, open, []byte(changed), had); !errors.Is(err, registry.ErrGiveAgain) {
				t.Errorf("%s, %s: %v", change[1], what, err)
			}
		}
	}
	_, err = steps(t, Options{Identities: []age.Identity{other}}, b.Bytes(), nil)
	if err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("with another key: %v", err)
	}
	if got, err := steps(t, Options{WithoutSecrets: true}, b.Bytes(), stored(t)); err != nil || len(got) > 0 {
		t.Errorf("without secrets: %v, %v", got, err)
	}
	// A changed secret is a change, and nothing of it is told.
	had := stored(t)
	*had[1].Secrets()[0].Value = "older"
	got, err := steps(t, open, b.Bytes(), had)
	if err != nil || len(got) != 1 || strings.Join(got[0].Fields, "") != "graph.client_secret" || *got[0].Next.Secrets()[0].Value != password {
		t.Errorf("%+v, %v", got, err)
	}
	// One that does not open here cannot be exported.
	*had[0].Secrets()[0].Value = adapters.Redacted
	if err := (Export{To: []age.Recipient{key.Recipient()}}).Write(&b, had); err == nil || !strings.Contains(err.Error(), "smtp.password") {
		t.Errorf("a closed secret: %v", err)
	}
}

// A connection that takes the default from another one says so.
func TestPlanNamesWhoLosesTheDefault(t *testing.T) {
	t.Parallel()
	const doc = `{"name":"n","provider":"smtp","from":"a@x.it","default":"unrouted","smtp":{"host":"h.x.it"}}`
	docs, err := Options{}.Read(strings.NewReader(doc), Auto)
	if err != nil {
		t.Fatal(err)
	}
	got, err := connections.Planner{Stored: stored(t), Admin: true}.Plan(docs)
	if err != nil || len(got) != 2 || got[1].Action != connections.Change || got[1].Fields[0] != "default" || got[1].Next.IsDefault() {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"name;porta\nx;1\n",
		`[{"name":"a","sealed":"eA=="}]`, "[[connection]]\nname='a'", "sep=|\nname|x\n", "\xff\xfe"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, format := range []string{Auto, JSON, TOML, CSV} {
			docs, err := Options{}.Read(bytes.NewReader(content), format)
			if err != nil {
				continue
			}
			steps, err := connections.Planner{Admin: true}.Plan(docs)
			if err != nil {
				continue
			}
			var all []*gateway.Connection
			for _, s := range steps {
				all = append(all, s.Next)
			}
			for _, e := range []Export{{Clear: true}, {Clear: true, Format: CSV}} {
				var b bytes.Buffer
				if err := e.Write(&b, all); err != nil {
					t.Fatal(err)
				}
				again, err := Options{}.Read(bytes.NewReader(b.Bytes()), e.Format)
				if err != nil {
					t.Fatalf("%v\n%s", err, b.Bytes())
				}
				left, err := connections.Planner{Stored: all, Admin: true, Prune: true}.Plan(again)
				if err != nil || len(left) > 0 {
					t.Fatalf("%+v, %v\n%s", left, err, b.Bytes())
				}
			}
		}
	})
}
