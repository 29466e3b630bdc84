package adapters

import (
	"reflect"
	"strings"
)

// Settings are those of one provider: the object that stands under the provider's
// name in the JSON of a connection. They are a pointer to a struct in which the fields
// have json names; a secret among them is of type Secret, which is how it is found,
// sealed and hidden. A struct tag says what each field means for the credential:
//
//	trust:"credential"  proves who sends: a secret, a file that holds one, the machine's identity
//	trust:"destination" where, as whom and how protected the credential is used
//	trust:"mailbox"     of which mailbox: chosen once, then the administrator's
//	trust:"admin"       names files of the server or URLs that tokens go to, or gives up protection
//	trust:"free"        none of these
//
// Several are separated by commas; a field without the tag counts as a destination.
// A stored credential never goes to a new destination. Settings of a connection
// that was handed to others are not changed.
type Settings interface {
	// Validate reports each field that is wrong to v, by its path in the object.
	Validate(v *Validator)
	// Clone returns a deep copy.
	Clone() Settings
	// Effective returns a copy with the defaults filled in that they have in c: two
	// that behave alike are equal. It is compared, never used to send.
	Effective(c *Connection) Settings
	// SenderMailbox is the mailbox that they name; empty: that of the connection's From.
	SenderMailbox() string
	// Lane names everything that shares the limits of a mailbox at the provider, in
	// a connection c of that mailbox, in lower case.
	Lane(c *Connection, mailbox string) string
	// Limits are the provider's own.
	Limits() LaneLimits
	// OnUnknown is what happens to an unknown outcome where the connection does not say it.
	OnUnknown() UnknownPolicy
	// AnyFrom reports that the server decides which From it takes.
	AnyFrom() bool
}

// ServerSettings are Settings that name the server to call, as SMTP's do.
type ServerSettings interface {
	Settings
	// Server is host and port, the default port filled in.
	Server() (host string, port int)
	// Restricted reports that the server may only have a public address, because no
	// administrator named it (see PublicAddress); Restrict decides it.
	Restricted() bool
	Restrict(on bool)
}

// A SecretField points at one secret of a connection, named by its JSON path.
type SecretField struct {
	Path  string
	Value *Secret
}

// Secrets lists the secret fields that the connection's settings have, empty ones
// included, so that a store can seal and restore them.
func (c *Connection) Secrets() []SecretField {
	if c.Settings == nil {
		return nil
	}
	return secretsOf(nil, string(c.Provider)+".", reflect.ValueOf(c.Settings))
}

// secretsOf appends the secrets of an object and of those in it.
func secretsOf(out []SecretField, prefix string, v reflect.Value) []SecretField {
	if v.Kind() == reflect.Pointer {
		v = v.Elem() // nil becomes no value
	}
	if v.Kind() != reflect.Struct {
		return out
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		secret, ok := v.Field(i).Addr().Interface().(*Secret)
		switch {
		case ok:
			out = append(out, SecretField{prefix + name, secret})
		case f.Anonymous:
			out = secretsOf(out, prefix, v.Field(i))
		default:
			out = secretsOf(out, prefix+name+".", v.Field(i))
		}
	}
	return out
}

// RedactedSecret is the path of the first secret that is Redacted: it was shown or
// exported, or its store could not open it. Empty: there is none.
func (c *Connection) RedactedSecret() string {
	for _, f := range c.Secrets() {
		if *f.Value == Redacted {
			return f.Path
		}
	}
	return ""
}

// noSettings stand for the settings of a connection that has none, which sends nothing.
type noSettings struct{}

func (noSettings) Validate(*Validator)              {}
func (s noSettings) Clone() Settings                { return s }
func (s noSettings) Effective(*Connection) Settings { return s }
func (noSettings) SenderMailbox() string            { return "" }
func (noSettings) Limits() LaneLimits               { return LaneLimits{Concurrency: 4} }
func (noSettings) OnUnknown() UnknownPolicy         { return UnknownVerify }
func (noSettings) AnyFrom() bool                    { return false }

func (noSettings) Lane(c *Connection, mailbox string) string {
	return string(c.Provider) + ":" + c.ID + ":" + mailbox
}

func (c *Connection) settings() Settings {
	if c.Settings == nil {
		return noSettings{}
	}
	return c.Settings
}
