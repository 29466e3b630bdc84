// Package script writes the commands that the administrator of a Microsoft 365
// tenant or of a Google Workspace domain runs so that a connection may send:
// complete, with the person's own values, safe to run again, and with the least
// privilege first.
package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Connection is what the scripts need of one. It has no secret.
type Connection struct {
	Name        string
	Tenant      string   // of Microsoft Entra: id or domain
	ClientID    string   // of the application; empty: it is not registered yet
	Mailbox     string   // that sends
	Domain      string   // every mailbox of this domain sends; Mailbox is empty
	Senders     []string // further From addresses: addresses, or "*@domain"
	SMTP        bool     // by SMTP with OAuth
	Certificate []byte   // its public part, in DER; nil: none that postino knows

	Google    bool   // by a service account of Google
	Account   string // its address; may be empty
	AccountID string // its numeric id
	Project   string
	Keyless   bool // no key file: IAM signs
}

// A Target is where a script runs.
type Target string

// The targets.
const (
	Entra    Target = "entra"
	Exchange Target = "exchange"
	Google   Target = "google"
)

// Write returns the script of a target with its explanations in lang. The error
// has a text: the connection does not fit the target, or lacks a value.
func Write(target Target, c Connection, lang string) (string, error) {
	w := &writer{lang: lang}
	var err error
	switch target {
	case Entra:
		err = w.entra(c)
	case Exchange:
		err = w.exchange(c)
	case Google:
		err = w.google(c)
	default:
		err = texterr.New(mime.NewText("script.no_target", "there is no script for {target}: entra, exchange or google", "target", target))
	}
	if err != nil {
		return "", err
	}
	return w.b.String(), nil
}

// Fits returns the targets of a connection: Microsoft and Google have scripts of their own, a
// server that wants a password needs none.
func (c Connection) Fits() []Target {
	switch {
	case c.Google:
		return []Target{Google}
	case c.Tenant != "":
		return []Target{Entra, Exchange}
	}
	return nil
}

func (c Connection) check(target Target) error {
	if !slices.Contains(c.Fits(), target) {
		return texterr.New(mime.NewText("script.wrong_target", "the connection {connection} does not send by way of {target}", "connection",
			fmt.Sprintf("%q", c.Name), "target", target))
	}
	return nil
}

// A writer builds a script line by line.
type writer struct {
	b    strings.Builder
	lang string
}

// line adds one line of code. args must be quoted already.
func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.b, format+"\n", args...)
}

// comment adds a sentence as comment lines of at most 100 columns or so. What
// came from a person cannot end the comment, because it has no line ends.
func (w *writer) comment(t mime.Text) {
	var line strings.Builder
	for word := range strings.FieldsSeq(plain(t.In(w.lang))) {
		if line.Len() > 0 && line.Len()+1+len(word) > 98 {
			w.line("# %s", line.String())
			line.Reset()
		}
		if line.Len() > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(word)
	}
	w.line("# %s", line.String())
}

func (w *writer) blank() { w.b.WriteByte('\n') }

// plain replaces line ends and other control characters, of Unicode too.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// powerShell quotes a value as a verbatim string: nothing in it is expanded.
// PowerShell takes typographic quotes for quotes too, so these are doubled as
// well (about_Quoting_Rules; the tokenizer's IsSingleQuote).
func powerShell(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range plain(s) {
		if strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}

// bash quotes a value for a POSIX shell.
func bash(s string) string {
	return "'" + strings.ReplaceAll(plain(s), "'", `'\''`) + "'"
}

// word quotes a name for a command that a person copies, where it needs that.
func word(s string) string {
	if asciiID.MatchString(s) {
		return s
	}
	return bash(s)
}

// short cuts a name to a number of characters that a directory allows. Names
// that are cut stay different.
func short(s string, most int) string {
	r := []rune(strings.Join(strings.Fields(plain(s)), " "))
	if len(r) <= most {
		return string(r)
	}
	sum := sha256.Sum256([]byte(s))
	return string(r[:most-9]) + "-" + hex.EncodeToString(sum[:4])
}

// asciiID reports a value that may stand in a filter or a URL: an id or a domain.
var asciiID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
