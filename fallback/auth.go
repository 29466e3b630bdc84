package fallback

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// maxCommandLine is RFC 5321 section 4.5.3.1.4: AUTH with an initial response
// over it must be sent in two steps (RFC 4954 section 4, contracts D1.2).
const maxCommandLine = 512

// Mechanisms that "auto" tries, strongest first.
var (
	passwordMechanisms = [...]string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}
	tokenMechanisms    = [...]string{"XOAUTH2", "OAUTHBEARER"}
)

// bearsSecret reports a mechanism that hands the server the secret itself.
func bearsSecret(mech string) bool {
	return !strings.HasPrefix(mech, "SCRAM-") && mech != "CRAM-MD5"
}

// authenticate proves the connection's identity. A refused token comes back
// as errRefusedToken inside the *adapters.Error's cause.
func (a *Adapter) authenticate(ctx context.Context, s *session, token string) error {
	if !a.wantsAuth() {
		return nil
	}
	c := credentials{user: s.user, password: a.set.Password.Reveal(), token: token, host: a.host, port: a.set.EffectivePort()}
	s.censor.hide(c.password)
	s.censor.hide(c.token)
	mechs, err := a.mechanisms(s)
	if err != nil {
		return err
	}
	for i, name := range mechs {
		next := "" // the mechanism to try instead
		if i+1 < len(mechs) {
			next = mechs[i+1]
		}
		r, err := a.exchange(ctx, s, mechanism(name, c))
		var broken *errSASL
		switch {
		case err != nil && r.Code != 235 && next != "" && s.tls && errors.As(err, &broken): // offered and not mastered; the session goes on
			a.opt.Log.DebugContext(ctx, "smtp: authentication mechanism broken, trying the next", "host", a.host, "mechanism", name, "next", next)
			continue
		case err != nil:
			return err
		case r.Code == 235:
			s.authed = true
			return nil
		// offered, yet not for this login (RFC 4954 section 6)
		case a.set.Certified() && r.Code != 504: // may be a refusal all the same
		case next != "" && (r.Code == 504 || s.tls && (r.Code >= 500 && r.Code <= 504 || r.Code == 454)):
			continue
		}
		e := a.refused(s, atAuth, r)
		if a.set.Certified() {
			return lockable(e)
		}
		if a.set.OAuth != nil && (e.Hint.Code == checkPassword || e.Hint.Code == checkPasswordGoogle) { // there is no password
			e.Hint = mime.NewText("smtp.check_token", "check the login, the mailbox for which the token is, and that the server trusts the "+
				"issuer of oauth; for Google the scope https://mail.google.com/ in the domain-wide delegation")
		}
		if r.Code == 535 && next != "" { // not tried: accounts are locked after a few refusals
			e.Hint = mime.NewText("smtp.hint_other_mechanism", "{hint}; if they are right, set smtp.auth to {next} ({tried} was tried)",
				"hint", e.Hint, "next", strings.ToLower(next), "tried", name)
		}
		return e
	}
	return nil // mechanisms never returns an empty list
}

// Hints for who logs in with a password.
const (
	checkPassword       = "smtp.check_login_password_connection" //nolint:gosec // the name of a text
	checkPasswordGoogle = "smtp.check_password_google"           //nolint:gosec // likewise
)

func (a *Adapter) wantsAuth() bool {
	return a.set.Auth != "none" && (a.set.Login != "" && a.set.Password != "" || a.set.OAuth != nil)
}

// mechanisms lists what to try, in order: never empty with a nil error.
func (a *Adapter) mechanisms(s *session) ([]string, error) {
	wanted := passwordMechanisms[:]
	if a.set.OAuth != nil {
		wanted = tokenMechanisms[:]
	}
	if a.set.Auth != "" && a.set.Auth != "auto" {
		named := strings.ToUpper(a.set.Auth)
		if !slices.Contains(wanted, named) {
			return nil, settingError("auth",
				mime.NewText("smtp.auth_unfit", "{auth} does not fit the credential", "auth", named))
		}
		wanted = []string{named}
	}
	var offered, usable []string
	for _, m := range wanted {
		if !slices.Contains(s.caps.auth, m) {
			continue
		}
		offered = append(offered, m)
		if !bearsSecret(m) || s.tls || a.set.AllowInsecure || s.local() {
			usable = append(usable, m)
		}
	}
	switch {
	case len(usable) > 0:
		return usable, nil
	case len(offered) > 0:
		return nil, a.errPlaintextAuth()
	}
	return nil, a.errNoMechanism(s, wanted)
}

// local reports a peer on this machine: nothing of it crosses a network.
func (s *session) local() bool {
	addr, ok := s.raw.RemoteAddr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// exchange runs one AUTH command (RFC 4954 section 4) up to its final reply.
func (a *Adapter) exchange(ctx context.Context, s *session, mech sasl.Client) (reply, error) {
	name, initial, err := mech.Start()
	if err != nil {
		return reply{}, a.errMechanism(err)
	}
	line, inline := "AUTH "+name, false
	if initial != nil {
		enc := encodeResponse(initial)
		if len(line)+1+len(enc)+2 <= maxCommandLine {
			line, inline = line+" "+enc, true
			if enc == "" {
				line += "="
			}
		}
		s.censor.hide(string(initial))
	}
	s.sasl = true
	defer func() { s.sasl = false }()
	r, err := s.cmd(line, a.opt.Timeouts.Command)
	for err == nil && r.Code == 334 {
		var answer []byte
		var bad error
		challenge, cerr := base64.StdEncoding.DecodeString(strings.TrimSpace(r.text()))
		switch {
		case initial != nil && !inline: // the second of the two steps
			answer, inline = initial, true
		case cerr != nil && name != "LOGIN": // LOGIN's questions are not looked at
			bad = &errSASL{"a challenge is not in base64"}
		default:
			answer, bad = mech.Next(challenge)
		}
		if bad != nil {
			if _, err := s.cmd("*", a.opt.Timeouts.Command); err != nil { // the answer is 501, whatever it says
				return reply{}, a.ioError(ctx, s, atAuth, err)
			}
			return reply{}, a.errMechanism(bad)
		}
		if string(answer) != s.user { // LOGIN sends the name alone, which is no secret
			s.censor.hide(string(answer))
		}
		r, err = s.cmd(encodeResponse(answer), a.opt.Timeouts.Command)
	}
	if err != nil {
		return reply{}, a.ioError(ctx, s, atAuth, err)
	}
	if r.Code == 235 {
		if err := finished(mech); err != nil {
			return r, a.errMechanism(err)
		}
	}
	return r, nil
}

func encodeResponse(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// login opens and authenticates a session for user.
func (a *Adapter) login(ctx context.Context, user string) (*session, error) {
	token, err := a.token(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.attempt(ctx, user, token)
	return a.renewed(ctx, user, token, s, err)
}

// token is the access token to log in with; empty where the connection has a password.
func (a *Adapter) token(ctx context.Context) (string, error) {
	if a.tokens == nil {
		return "", nil
	}
	token, err := a.tokens.Token(ctx)
	if err != nil {
		return "", a.tokenError(ctx, err)
	}
	return token, nil
}

// renewed passes on the outcome of a login, and tries once more with a new token
// where the server refused this one: the cached one may have been revoked.
func (a *Adapter) renewed(ctx context.Context, user, token string, s *session, err error) (*session, error) {
	var refused *refusal
	if a.tokens == nil || !errors.As(err, &refused) || refused.at != atAuth || refused.Code != 535 {
		return s, err
	}
	fresh, rerr := a.tokens.Renew(ctx, token)
	if rerr != nil {
		return nil, a.tokenError(ctx, rerr)
	}
	if fresh == token {
		return nil, err
	}
	a.opt.Log.DebugContext(ctx, "smtp: token refused, renewed", "host", a.host)
	return a.attempt(ctx, user, fresh)
}

// attempt opens one connection and authenticates it.
func (a *Adapter) attempt(ctx context.Context, user, token string) (*session, error) {
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.identify(ctx, s, user, token); err != nil {
		return nil, err
	}
	return s, nil
}

// identify authenticates a session, and ends it where that fails.
func (a *Adapter) identify(ctx context.Context, s *session, user, token string) error {
	s.user = user
	release := s.bind(ctx)
	err := a.authenticate(ctx, s, token)
	if !release() && err == nil {
		err = a.cancelled(ctx)
	}
	if err == nil {
		return nil
	}
	var refused *refusal
	if errors.As(err, &refused) && refused.Code != 421 && ctx.Err() == nil {
		s.quit() // the server waits for another command
	} else {
		s.kill()
	}
	return err
}

// tokenError passes on what the token source says, which is an *adapters.Error.
func (a *Adapter) tokenError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return a.cancelled(ctx)
	}
	var e *adapters.Error
	if errors.As(err, &e) {
		return e
	}
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeConnection, Provider: adapters.SMTP,
		Code: adapters.CodeToken, Err: err,
		Message: mime.NewText("smtp.token", "no access token could be had"),
		Hint:    mime.NewText("smtp.token_hint", "check the oauth settings of the connection")}
}
