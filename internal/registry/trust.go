package registry

import (
	"errors"
	"reflect"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// A role says what a setting means for the credential of its connection.
type role uint8

const (
	proof       role = 1 << iota // proves who sends: a secret, a file that holds one, the machine's identity
	destination                  // where, as whom and how protected a credential is used
	mailbox                      // the mailbox: chosen once, then the administrator's
	adminOnly                    // names files of the server or URLs that tokens go to, or gives up protection
	free        role = 0
)

// common are the roles of the settings that connections of all providers have, by
// their JSON path.
func common() map[string]role {
	return map[string]role{
		"id": free, "revision": free, "name": free, "from": free, "display_name": free, "reply_to": free,
		"aliases": free, "active": free, "default": free,
		"class": free, "fallback": free, "on_unknown": free, "owner": free, "limits": free, "retry": free, "on_quota_exceeded": free,
		"secret_expires": free,
		"provider":       destination,
	}
}

// trustTag is the struct tag of adapters.Settings that says what a field means for
// the credential.
const trustTag = "trust"

// roleOf reads the tag of a provider's setting. Without one, or with a word that is
// not known, it is a destination.
func roleOf(tag reflect.StructTag) role {
	var r role
	for word := range strings.SplitSeq(tag.Get(trustTag), ",") {
		switch word {
		case "credential":
			r |= proof
		case "destination":
			r |= destination
		case "mailbox":
			r |= mailbox
		case "admin":
			r |= adminOnly
		case "free":
		default:
			r |= destination
		}
	}
	return r
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
	Given     map[string]bool     // paths of the credentials with a value that the change itself names
	Admin     bool                // by an administrator
}

// Check refuses an edit that would use a stored credential for something that it
// was not given for, by whomever, and one of what is the administrator's by
// somebody else. The error is a *TrustError.
func (e Edit) Check() error {
	had, has := settings(e.Old), settings(e.Next)
	all := paths(had, has)
	var moved []string
	for _, path := range all {
		r := had[path].role | has[path].role
		if had[path].value == has[path].value {
			continue
		}
		if !e.Admin && (r&adminOnly != 0 && has[path].value != "" || r&mailbox != 0 && e.Old != nil) {
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
		r := has[path].role
		hidden := has[path].value == adapters.Redacted                     // the store puts the one that it has in its place
		given := e.Given[path] && !hidden && (e.Admin || r&adminOnly == 0) // whoever may not choose a file cannot give it
		if r&proof != 0 && has[path].value != "" && (hidden || has[path] == had[path]) && !given {
			return &TrustError{Field: path, Moved: moved, Err: ErrGiveAgain}
		}
	}
	return nil
}

// field is the setting by which path changed: where no mailbox is named, it is
// that of From.
func (e Edit) field(path string, r role) string {
	if r&mailbox != 0 && e.Old != nil && e.Old.Provider == e.Next.Provider && ofFrom(e.Old) && ofFrom(e.Next) {
		return "from"
	}
	return path
}

// ofFrom reports whether the mailbox that sends is that of From.
func ofFrom(c *gateway.Connection) bool {
	return c.Settings != nil && c.Settings.SenderMailbox() == "" && !c.Settings.AnyFrom()
}
