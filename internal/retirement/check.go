package retirement

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// The credentials that settings have.
const (
	CredentialNone        = "none"
	CredentialPassword    = "password"
	CredentialAppPassword = "app_password" // of sixteen letters, as Google, Yahoo and Apple make them
	CredentialOAuth       = "oauth"
)

// Settings are one way of sending: of a connection, or of a program elsewhere.
type Settings struct {
	Name       string // of the connection or the program
	Connection string // id; empty: it is none
	Line       int    // of the file that it was read from; 0: none
	Provider   adapters.Provider
	Host       string // ASCII, lower case; empty for the APIs
	Path       string // of a URL
	Port       int
	Encryption string
	Login      string
	From       string
	Credential string
	Inactive   bool
}

// A Verdict is whether a way of sending goes on.
type Verdict string

// The verdicts, the worst first.
const (
	Ended  Verdict = "ended"  // by the announcement it does not work any more
	Ends   Verdict = "ends"   // it stops on a day that is known
	Check  Verdict = "check"  // what was read does not say enough
	Stays  Verdict = "stays"  // announced to go on
	Silent Verdict = "silent" // nothing was announced
)

func severity(v Verdict) int { return slices.Index([]Verdict{Ended, Ends, Check, Stays, Silent}, v) }

// Stops reports whether something must be done.
func (v Verdict) Stops() bool { return v == Ended || v == Ends }

// A Finding is what becomes of one way of sending.
type Finding struct {
	Settings
	Verdict      Verdict
	Date         time.Time // on which it stops, or has stopped; zero: none
	Reason       mime.Text
	Steps        []mime.Text // how to move it, in order
	Announcement string      // id; empty: none
	Row, Source  string      // of the announcement
}

// OfConnection returns the settings of a connection.
func OfConnection(c *gateway.Connection) Settings {
	s := Settings{Name: c.Name, Connection: c.ID, Provider: c.Provider, From: c.OwnAddress().String(), Credential: CredentialOAuth,
		Inactive: !c.IsActive()}
	if s.From == "" {
		s.From = c.From
	}
	set := fallback.SettingsOf(&c.Connection)
	if set == nil {
		return s
	}
	s.Host, s.Port = asciiHost(set.Host), set.EffectivePort()
	s.Encryption, s.Login = string(set.EffectiveEncryption()), set.Login
	switch {
	case set.OAuth != nil:
	case set.Login == "" && set.Password == "":
		s.Credential = CredentialNone
	case appPassword(set.Password.Reveal()):
		s.Credential = CredentialAppPassword
	default:
		s.Credential = CredentialPassword
	}
	return s
}

// appPassword reports whether a password has the form of one that a provider
// made for a program: sixteen lower-case letters, in groups of four or not.
func appPassword(p string) bool {
	p = strings.NewReplacer(" ", "", "-", "").Replace(p)
	return len(p) == 16 && strings.Trim(p, "abcdefghijklmnopqrstuvwxyz") == ""
}

// Assess says what becomes of each, by what is announced at now: the worst first.
func Assess(now time.Time, list []Settings) ([]Finding, error) {
	known, err := loaded()
	if err != nil {
		return nil, err
	}
	out := make([]Finding, 0, len(list))
	for _, s := range list {
		out = append(out, known.assess(now, s))
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(severity(a.Verdict), severity(b.Verdict)), a.Date.Compare(b.Date))
	})
	return out, nil
}

func (a *announcements) assess(now time.Time, s Settings) Finding {
	f := Finding{Settings: s, Verdict: Silent}
	switch {
	case s.Connection != "" && s.Credential == CredentialOAuth:
		f.Verdict, f.Reason = Stays, mime.NewText("retirement.tokens", "it signs in with tokens, not with a password")
		return f
	case s.Host == "":
		f.Verdict, f.Reason = Check, mime.NewText("retirement.no_host", "no server is named")
		return f
	case s.Credential == CredentialOAuth:
		f.Verdict, f.Reason = Stays, mime.NewText("retirement.tokens", "it signs in with tokens, not with a password")
		return f
	}
	x := a.of(&s)
	if x == nil {
		f.Reason = mime.NewText("retirement.nothing_announced", "no announcement about {host} is known", "host", s.Host)
		return f
	}
	f.Announcement, f.Row, f.Source, f.Date = x.ID, x.Row, x.Source, x.Date
	f.Reason = reason(x)
	switch {
	case x.State == "stays":
		f.Verdict = Stays
	case now.Before(x.Date):
		f.Verdict = Ends
	default:
		f.Verdict = Ended
	}
	if f.Verdict == Ended && x.ID == "google_account_password" && s.Line > 0 {
		// A file need not say which kind of password it is, and an app password works.
		f.Steps = append(f.Steps, mime.NewText("retirement.step_app_password",
			"if it still sends, its password is an app password: that goes on, until an administrator forbids them"))
	}
	if f.Verdict.Stops() {
		f.Steps = append(f.Steps, steps(x, &s)...)
	}
	return f
}

// Address is host and port, as people write them.
func (s *Settings) Address() string {
	switch {
	case s.Host == "":
		return string(s.Provider)
	case s.Port == 0:
		return s.Host
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}
