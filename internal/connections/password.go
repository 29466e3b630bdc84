package connections

import (
	"strconv"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/mime"
)

// LacksPassword reports an SMTP connection with a login that nothing comes with: it
// would never sign in.
func LacksPassword(c *gateway.Connection) bool {
	s := fallback.SettingsOf(&c.Connection)
	return s != nil && s.Login != "" && s.Password == "" && s.OAuth == nil && s.Auth != "none"
}

// checkPassword refuses to switch such a connection on. old is the connection as it
// was, nil for a new one: what lacked a password already is none of this change. A
// connection that is switched off may wait for its password.
func checkPassword(next, old *gateway.Connection) error {
	unusable := func(c *gateway.Connection) bool { return c.IsActive() && LacksPassword(c) }
	if !unusable(next) || old != nil && unusable(old) {
		return nil
	}
	return &adapters.InvalidError{Fields: []adapters.FieldError{{Field: "smtp.password", Text: mime.NewText("connections.no_password",
		"the login {login} has no password: give it, or auth \"none\" for a server that wants none, or switch the connection off until it is "+
			"there", "login", strconv.Quote(fallback.SettingsOf(&next.Connection).Login))}}}
}
