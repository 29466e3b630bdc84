package presets

import (
	_ "embed" // the data
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
)

// A Preset is what is known of a provider. Treated as immutable.
type Preset struct {
	Name        string            `toml:"name"`    // lower case, such as "aruba-pec"
	Title       string            `toml:"title"`   // for people: "PEC Aruba"
	Aliases     []string          `toml:"aliases"` // further names
	Kind        Kind              `toml:"kind"`
	Provider    adapters.Provider `toml:"provider"` // graph, gmail or smtp
	Servers     []Server          `toml:"servers"`  // of smtp, the best first
	Auth        string            `toml:"auth"`     // as the setting smtp.auth: auto, none, xoauth2
	OAuth       string            `toml:"oauth"`    // as smtp.oauth.provider: entra or google
	Credential  Credential        `toml:"credential"`
	Login       Login             `toml:"login"`
	FixedLogin  string            `toml:"fixed_login"` // with LoginFixed
	Unsupported bool              `toml:"unsupported"` // postino cannot send through it; a note tells why
	Domains     []string          `toml:"domains"`     // of addresses; ".example.org" means every domain below
	MX          []string          `toml:"mx"`          // a mail exchanger with this name or below it belongs to the provider
	Limits      Limits            `toml:"limits"`
	NoteNames   []string          `toml:"notes"`
	Source      string            `toml:"source"`
	Date        time.Time         `toml:"date"` // when the source was read
	Certainty   Certainty         `toml:"certainty"`
}

// A Kind is what a provider is for.
type Kind string

// The kinds.
const (
	KindMailbox Kind = "mailbox" // a person's or a company's mailbox
	KindPEC     Kind = "pec"     // Italian certified mail
	KindRelay   Kind = "relay"   // takes the mail of an organisation
	KindBulk    Kind = "bulk"    // for many messages, newsletters included
)

// A Credential is what the provider wants as proof.
type Credential string

// The credentials.
const (
	CredentialPassword    Credential = "password"
	CredentialAppPassword Credential = "app_password"
	CredentialAPIKey      Credential = "api_key"
	CredentialApplication Credential = "application" // app-only: a secret, certificate or service account
	CredentialNetwork     Credential = "network"     // the address that connects
)

// A Login is the form of the login name.
type Login string

// The forms.
const (
	LoginAddress Login = "address" // the address of the mailbox
	LoginGiven   Login = "given"   // a name that the provider gives
	LoginFixed   Login = "fixed"   // the same word for everyone
	LoginNone    Login = "none"
)

// A Certainty tells how sure the data are.
type Certainty string

// The certainties.
const (
	Primary     Certainty = "primary"     // the provider's own words
	Secondary   Certainty = "secondary"   // others that use it
	Unconfirmed Certainty = "unconfirmed" // one source, or several that differ
)

// A Server is where an SMTP connection leads. Host may have a placeholder that
// the person completes: "email-smtp.{region}.amazonaws.com".
type Server struct {
	Host       string              `toml:"host"`
	Port       int                 `toml:"port"`
	Encryption fallback.Encryption `toml:"encryption"`
}

// Complete reports a host without a placeholder.
func (s Server) Complete() bool { return !strings.Contains(s.Host, "{") }

// Limits are the provider's; 0 is not known. The first three become limits of a connection.
type Limits struct {
	Concurrency          int   `toml:"concurrency"`
	PerMinute            int   `toml:"per_minute"`
	RecipientsPerDay     int   `toml:"recipients_per_day"`
	RecipientsPerMessage int   `toml:"recipients_per_message"`
	MessageBytes         int64 `toml:"message_bytes"`
}

// PEC reports certified mail.
func (p *Preset) PEC() bool { return p.Kind == KindPEC }

// loginFor returns the login of an address, empty where the provider gives it.
func (p *Preset) loginFor(address string) string {
	switch p.Login {
	case LoginAddress:
		return address
	case LoginFixed:
		return p.FixedLogin
	}
	return ""
}

//go:embed presets.toml
var data string

// A table is the presets in the order of the file.
type table struct {
	all    []*Preset
	byName map[string]*Preset
}

// loaded reads the data at the first use, once.
var loaded = sync.OnceValues(func() (*table, error) { return load(data) })

func load(data string) (*table, error) {
	var file struct {
		Preset []*Preset `toml:"preset"`
	}
	meta, err := toml.Decode(data, &file)
	if err != nil {
		return nil, fmt.Errorf("presets: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("presets: the field %s is not known", unknown[0])
	}
	t := &table{all: file.Preset, byName: make(map[string]*Preset)}
	for _, p := range t.all {
		if slices.ContainsFunc(p.Servers, func(s Server) bool { return (&fallback.Settings{Host: s.Host}).Certified() }) {
			p.Kind = KindPEC
		}
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if t.byName[name] != nil {
				return nil, fmt.Errorf("presets: two presets are called %s", name)
			}
			t.byName[name] = p
		}
	}
	return t, nil
}

// All returns the presets, sorted by kind and name; the error is that of the
// program's own data.
func All() ([]*Preset, error) {
	t, err := loaded()
	if err != nil {
		return nil, err
	}
	order := []Kind{KindMailbox, KindPEC, KindRelay, KindBulk}
	all := slices.Clone(t.all)
	slices.SortStableFunc(all, func(a, b *Preset) int {
		if d := slices.Index(order, a.Kind) - slices.Index(order, b.Kind); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// Lookup returns the preset of a name, in whichever case, or false.
func Lookup(name string) (*Preset, bool) {
	t, err := loaded()
	if err != nil {
		return nil, false
	}
	p, ok := t.byName[strings.ToLower(strings.TrimSpace(name))]
	return p, ok
}

// ofDomain returns the presets with addresses that end in domain.
func (t *table) ofDomain(domain string) []*Preset {
	return t.filter(func(p *Preset) bool {
		return slices.ContainsFunc(p.Domains, func(d string) bool {
			return d == domain || strings.HasPrefix(d, ".") && strings.HasSuffix(domain, d)
		})
	})
}

// ofMX returns the presets to which a mail exchanger belongs.
func (t *table) ofMX(host string) []*Preset {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	var most int // the longest name wins: mx.pec.aruba.it is PEC, not Aruba's common mail
	matching := func(p *Preset) (n int) {
		for _, d := range p.MX {
			if host == d || strings.HasSuffix(host, "."+d) {
				n = max(n, len(d))
			}
		}
		return n
	}
	for _, p := range t.all {
		most = max(most, matching(p))
	}
	return t.filter(func(p *Preset) bool { return most > 0 && matching(p) == most })
}

// ofServer returns the first preset with an SMTP server.
func (t *table) ofServer(host string) *Preset {
	for _, p := range t.all {
		if slices.ContainsFunc(p.Servers, func(s Server) bool { return s.Host == host }) {
			return p
		}
	}
	return nil
}

func (t *table) filter(keep func(*Preset) bool) []*Preset {
	var out []*Preset
	for _, p := range t.all {
		if keep(p) {
			out = append(out, p)
		}
	}
	return out
}
