package registry

import (
	"errors"
	"strings"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// A role says what a setting means for the credential of its connection.
type role uint8

const (
	credential  role = 1 << iota // proves who sends: a secret, a file that holds one, the machine's identity
	destination                  // where, as whom and how protected a credential is used
	mailbox                      // whose mailbox: chosen once, then the administrator's
	adminOnly                    // names files of the server or URLs that tokens go to, or gives up protection
	free        role = 0
)

// roles has every setting of a connection by its JSON path; those of
// smtp.oauth are those of graph and gmail. One that is missing counts as a
// destination, and a test fails.
func roles() roleTable {
	return roleTable{
		"id": free, "revision": free, "name": free, "from": free, "display_name": free, "reply_to": free,
		"aliases": free, "active": free, "default": free,
		"class": free, "fallback": free, "on_unknown": free, "owner": free, "limits": free, "retry": free, "on_quota_exceeded": free,
		"secret_expires": free,
		"provider":       destination,

		"graph.tenant": destination, "graph.client_id": destination, "graph.cloud": destination, "graph.mailbox": destination | mailbox,
		"graph.authority_url": destination | adminOnly, "graph.graph_url": destination | adminOnly,
		"graph.client_secret": credential, "graph.certificate_password": credential,
		"graph.certificate_file": credential | adminOnly, "graph.federated_token_file": credential | adminOnly,
		"graph.managed_identity": credential | adminOnly,

		"gmail.subject": destination | mailbox, "gmail.token_url": destination | adminOnly, "gmail.gmail_url": destination | adminOnly,
		"gmail.service_account_json": credential, "gmail.service_account_file": credential | adminOnly,

		"smtp.host": destination, "smtp.port": destination, "smtp.encryption": destination, "smtp.login": destination, "smtp.auth": destination,
		"smtp.source_address": destination, "smtp.ca_file": destination | adminOnly, "smtp.allow_insecure": destination | adminOnly,
		"smtp.hostname": free, "smtp.without": free, "smtp.public_only": free, "smtp.password": credential, "smtp.oauth.provider": destination,
	}
}

type roleTable map[string]role

// of is the role of the setting at path.
func (t roleTable) of(path string) role {
	if r, ok := t[path]; ok {
		return r
	}
	if last, ok := strings.CutPrefix(path, "smtp.oauth."); ok {
		if r, ok := t["graph."+last]; ok {
			return r
		}
		if r, ok := t["gmail."+last]; ok {
			return r
		}
	}
	return destination
}

// ErrAdminOnly says that the setting is the administrator's alone.
var ErrAdminOnly = errors.New("for an administrator alone")

// ErrGiveAgain says that a credential that is stored would go to where it was not given
// for. Whoever moves a connection gives its credential again.
var ErrGiveAgain = errors.New("the credential must be given again")

// A TrustError says which setting an edit may not touch as it does.
type TrustError struct {
	Field string   // path of the setting that is to blame
	Moved []string // paths of what changed, with ErrGiveAgain
	Err   error    // ErrAdminOnly or ErrGiveAgain
}

// Error is the English text with what to do.
func (e *TrustError) Error() string { return e.text().String() }

// In is the text in a language.
func (e *TrustError) In(lang string) string { return e.text().In(lang) }

func (e *TrustError) text() mime.Text {
	if errors.Is(e.Err, ErrAdminOnly) {
		return mime.NewText("registry.admin_only", "{field} is for an administrator alone", "field", e.Field)
	}
	return mime.NewText("registry.give_again", "{moved} changed: a credential does not follow its connection elsewhere, so give "+
		"{field} again "+
		"in the same change (a JSON merge patch)", "moved", strings.Join(e.Moved, ", "), "field", e.Field)
}

func (e *TrustError) Unwrap() error { return e.Err }

// An Edit is a change of a stored connection.
type Edit struct {
	Old, Next *gateway.Connection // Old nil: a new connection
	Given     map[string]bool     // paths of the credentials whose values the change itself names
	Admin     bool                // by an administrator
}

// Check refuses an edit that would use a stored credential for something that it
// was not given for, by whomever, and one of what is the administrator's by
// somebody else. The error is a *TrustError.
func (e Edit) Check() error {
	had, has := settings(e.Old), settings(e.Next)
	all, known := paths(had, has), roles()
	var moved []string
	for _, path := range all {
		r := known.of(path)
		if had[path] == has[path] {
			continue
		}
		if !e.Admin && (r&adminOnly != 0 && has[path] != "" || r&mailbox != 0 && e.Old != nil) {
			return &TrustError{Field: e.field(path, r), Err: ErrAdminOnly}
		}
		if r&destination != 0 {
			moved = append(moved, e.field(path, r))
		}
	}
	if len(moved) == 0 || e.Old == nil {
		return nil
	}
	for _, path := range all {
		r := known.of(path)
		given := e.Given[path] && (e.Admin || r&adminOnly == 0) // whoever may not choose a file cannot give it
		if r&credential != 0 && has[path] != "" && has[path] == had[path] && !given {
			return &TrustError{Field: path, Moved: moved, Err: ErrGiveAgain}
		}
	}
	return nil
}

// field is the setting by which path changed: where no mailbox is named, it is
// that of From.
func (e Edit) field(path string, r role) string {
	named := func(c *gateway.Connection) string {
		switch {
		case c == nil:
		case c.Graph != nil && path == "graph.mailbox":
			return c.Graph.Mailbox
		case c.Gmail != nil && path == "gmail.subject":
			return c.Gmail.Subject
		}
		return ""
	}
	if r&mailbox != 0 && e.Old != nil && e.Old.Provider == e.Next.Provider && named(e.Old) == named(e.Next) {
		return "from"
	}
	return path
}
