package presets

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/locale"
)

var presetName = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)

// Every field of every preset is what it should be.
func TestData(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			checkNames(t, p)
			checkServers(t, p)
			checkSource(t, p)
			checkNotes(t, p)
		})
	}
}

func checkNames(t *testing.T, p *Preset) {
	for _, name := range append([]string{p.Name}, p.Aliases...) {
		if !presetName.MatchString(name) {
			t.Errorf("the name %q", name)
		}
	}
	if p.Title == "" {
		t.Error("no title")
	}
	for _, d := range slices.Concat(p.Domains, p.MX) {
		if !hostName(strings.TrimPrefix(d, ".")) {
			t.Errorf("the domain %q", d)
		}
	}
	if !slices.Contains([]Kind{KindMailbox, KindPEC, KindRelay, KindBulk}, p.Kind) {
		t.Errorf("the kind %q", p.Kind)
	}
	if p.PEC() && (!slices.Contains(p.NoteNames, "pec_no_bcc") || !slices.Contains(p.NoteNames, "pec_login")) {
		t.Error("a provider of certified mail without the notes of Bcc and login")
	}
}

func checkServers(t *testing.T, p *Preset) {
	if (p.Provider == adapters.SMTP) != (len(p.Servers) > 0) {
		t.Errorf("provider %s with %d servers", p.Provider, len(p.Servers))
	}
	if !slices.Contains([]adapters.Provider{adapters.Graph, adapters.Gmail, adapters.SMTP}, p.Provider) {
		t.Errorf("the provider %q", p.Provider)
	}
	placeholder := strings.NewReplacer("{region}", "x", "{domain}", "x")
	for _, s := range p.Servers {
		if !hostName(placeholder.Replace(s.Host)) || s.Complete() != (placeholder.Replace(s.Host) == s.Host) {
			t.Errorf("the host %q", s.Host)
		}
		tls := s.Port == 465
		if s.Port < 1 || s.Port > 65535 || tls != (s.Encryption == fallback.EncryptionTLS) ||
			!tls && s.Encryption != fallback.EncryptionSTARTTLS {
			t.Errorf("port %d with %q", s.Port, s.Encryption)
		}
	}
	if p.Provider == adapters.SMTP && !slices.Contains([]string{"auto", "none", "xoauth2"}, p.Auth) ||
		p.Provider != adapters.SMTP && p.Auth != "" {
		t.Errorf("auth %q", p.Auth)
	}
	if !slices.Contains([]string{"", "entra", "google"}, p.OAuth) ||
		p.OAuth != "" && (p.Auth != "xoauth2" || p.Credential != CredentialApplication) {
		t.Errorf("oauth %q", p.OAuth)
	}
	if !slices.Contains([]Credential{CredentialPassword, CredentialAppPassword, CredentialAPIKey, CredentialApplication, CredentialNetwork},
		p.Credential) || (p.Credential == CredentialNetwork) != (p.Auth == "none") {
		t.Errorf("credential %q with auth %q", p.Credential, p.Auth)
	}
	if !slices.Contains([]Login{LoginAddress, LoginGiven, LoginFixed, LoginNone}, p.Login) || (p.Login == LoginFixed) != (p.FixedLogin != "") {
		t.Errorf("login %q %q", p.Login, p.FixedLogin)
	}
	if l := p.Limits; l.Concurrency < 0 || l.PerMinute < 0 || l.RecipientsPerDay < 0 || l.RecipientsPerMessage < 0 || l.MessageBytes < 0 {
		t.Errorf("limits %+v", l)
	}
}

func checkSource(t *testing.T, p *Preset) {
	if p.Source == "" || p.Date.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("source %q of %v", p.Source, p.Date)
	}
	if !slices.Contains([]Certainty{Primary, Secondary, Unconfirmed}, p.Certainty) {
		t.Errorf("certainty %q", p.Certainty)
	}
}

func checkNotes(t *testing.T, p *Preset) {
	for _, name := range p.NoteNames {
		n, ok := note(name, p)
		if !ok {
			t.Errorf("there is no note %q", name)
			continue
		}
		for _, lang := range locale.Languages() {
			if s, ok := locale.Text(lang, n.Code, n.Args); !ok || s == "" || strings.Contains(s, "{") {
				t.Errorf("the note %q in %s: %q", name, lang, s)
			}
		}
	}
	if len(p.Notes()) != len(p.NoteNames) {
		t.Error("a note is missing")
	}
	if p.Unsupported && len(p.NoteNames) == 0 {
		t.Error("not supported, and no note tells why")
	}
}

// Providers that Italian companies use, and what they are known for, must not get lost.
func TestLookup(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"libero": "smtp.libero.it:465", "Virgilio": "out.virgilio.it:465", "fastweb": "smtp.fastwebnet.it:587", "tim": "smtp.tim.it:465",
		"vodafone": "smtp.vodafone.it:465", "aruba": "smtps.aruba.it:465", "register.it": "authsmtp.securemail.pro:465",
		"tiscali": "smtp.tiscali.it:465", "outlook.com": "smtp-mail.outlook.com:587", "yahoo": "smtp.mail.yahoo.com:465",
		"icloud": "smtp.mail.me.com:587", "aruba-pec": "smtps.pec.aruba.it:465", "legalmail": "sendm.cert.legalmail.it:465",
		"namirial": "smtps.sicurezzapostale.it:465", "register-pec": "smtp.pec-email.com:465", "poste-pec": "mail.postecert.it:465",
		"gmail": "smtp.gmail.com:465", "smtp-relay.gmail.com": "smtp-relay.gmail.com:587", "hve": "smtp.hve.mx.microsoft:587",
		"ses": "email-smtp.{region}.amazonaws.com:587", "sendgrid": "smtp.sendgrid.net:587", "postmark": "smtp.postmarkapp.com:587",
	} {
		p, ok := Lookup(name)
		if !ok {
			t.Errorf("%s is not known", name)
			continue
		}
		if got := address(p.Servers[0]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"microsoft365", "google-workspace"} {
		if p, ok := Lookup(name); !ok || p.Credential != CredentialApplication {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p, ok := Lookup("nowhere"); ok {
		t.Errorf("nowhere: %+v", p)
	}
}

// A connection to a server of certified mail is treated as such, whether or not
// it was made from a preset.
func TestCertifiedServers(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if noted := slices.Contains(p.NoteNames, "pec_no_bcc"); noted != p.PEC() {
			t.Errorf("%s: certified is %v, its note of Bcc says %v", p.Name, p.PEC(), noted)
		}
		for _, s := range p.Servers {
			if (&fallback.Settings{Host: s.Host}).Certified() != p.PEC() {
				t.Errorf("%s of %s: certified is not %v", s.Host, p.Name, p.PEC())
			}
		}
	}
	if !(&fallback.Settings{Host: "SENDM.cert.legalmail.it."}).Certified() || !(&fallback.Settings{PEC: true}).Certified() {
		t.Error("not certified")
	}
}

// A mistake in the data is an error, not a preset without an effect.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"field":     "[[preset]]\nname = \"a\"\nhost = \"x\"",
		"twice":     "[[preset]]\nname = \"a\"\n[[preset]]\nname = \"b\"\naliases = [\"a\"]",
		"malformed": "[[preset]]\nname = ",
	} {
		if _, err := load(text); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
