package smtpd

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func (s *session) authOffered() bool {
	p := s.listener.policy
	return p.auth != authOff && s.client == nil && (s.secure || p.PlaintextAuth)
}

// auth answers AUTH (RFC 4954) with PLAIN (RFC 4616) or LOGIN.
func (s *session) auth(arg string) {
	p := s.listener.policy
	switch {
	case p.auth == authOff:
		s.badCommand(502, "5.5.1", "AUTH is not available here")
		return
	case !s.requireHello():
		return
	case s.client != nil:
		s.badCommand(503, "5.5.1", "already authenticated")
		return
	case s.tx != nil:
		s.badCommand(503, "5.5.1", "AUTH is not allowed during a mail transaction")
		return
	case !s.authOffered():
		s.badCommand(538, "5.7.11", said(mime.NewText("smtpd.auth_needs_tls",
			"AUTH needs TLS here: switch encryption on in the program that sends. For a device that cannot: plaintext_auth and networks of "+
				"the listener"))...)
		return
	case s.inputPending():
		s.improperPipelining("AUTH")
		return
	}
	mech, initial, has := strings.Cut(arg, " ")
	var name, secret string
	ok := false
	switch strings.ToUpper(mech) {
	case "PLAIN":
		name, secret, ok = s.plainLogin(initial, has)
	case "LOGIN":
		name, secret, ok = s.loginLogin(initial, has)
	case "":
		s.badCommand(501, "5.5.4", "syntax: AUTH mechanism")
		return
	default:
		s.badCommand(504, "5.5.4", "only PLAIN and LOGIN are available")
		return
	}
	if ok {
		s.login(name, secret)
	}
	if s.client != nil {
		s.mechanism = strings.ToUpper(mech)
	}
}

// plainLogin reads authzid NUL authcid NUL secret.
func (s *session) plainLogin(initial string, has bool) (name, secret string, ok bool) {
	b, ok := s.response("", initial, has)
	if !ok {
		return "", "", false
	}
	parts := strings.Split(b, "\x00")
	if len(parts) != 3 || parts[1] == "" {
		s.badCommand(501, "5.5.2", "the PLAIN response is not authorization NUL name NUL secret")
		return "", "", false
	}
	if parts[0] != "" && !strings.EqualFold(parts[0], parts[1]) {
		s.badCommand(535, "5.7.8", "no one may act for another: leave the authorization identity empty")
		return "", "", false
	}
	return parts[1], parts[2], true
}

func (s *session) loginLogin(initial string, has bool) (name, secret string, ok bool) {
	if name, ok = s.response("VXNlcm5hbWU6", initial, has); !ok { // "Username:"
		return "", "", false
	}
	secret, ok = s.response("UGFzc3dvcmQ6", "", false) // "Password:"
	return name, secret, ok
}

// response decodes what came with AUTH, or asks for it.
func (s *session) response(challenge, given string, has bool) (string, bool) {
	if !has {
		s.reply(334, "", challenge)
		line, err := s.line(maxAuthLine)
		if err != nil {
			if !s.proceed(err) {
				s.closing = true
			}
			return "", false
		}
		given = strings.TrimSpace(string(line))
		switch {
		case given == "*": // RFC 4954 section 4
			s.reply(501, "5.7.0", "authentication cancelled")
			return "", false
		case s.inputPending():
			s.improperPipelining("the AUTH response")
			return "", false
		}
	} else if given = strings.TrimSpace(given); given == "=" {
		given = ""
	}
	b, err := base64.StdEncoding.DecodeString(given)
	if err != nil {
		s.badCommand(501, "5.5.2", "the AUTH response is not base64")
		return "", false
	}
	return string(b), true
}

// login authenticates the client. All refusals read the same and take the same
// time, whether the name exists or not.
func (s *session) login(name, secret string) {
	start := time.Now()
	byAddr, byName, ok := s.srv.authLimiter.begin(s.makeRoom, s.remote, name)
	switch {
	case ok:
	case byAddr:
		s.log.Warn("SMTP login refused: too many failures from this address", "name", loggable(name))
		s.closing = true
		s.reply(421, "4.7.0", said(mime.NewText("smtpd.logins_of_address",
			"too many failed logins from your address: try again in some minutes"))...)
		return
	case byName:
		s.log.Warn("SMTP login refused: too many failures for this name", "name", loggable(name))
		s.reply(454, "4.7.0", said(mime.NewText("smtpd.logins_of_name", "too many failed logins under this name: try again in some minutes"))...)
		return
	default: // told to make room while it waited: the next line says so
		return
	}
	wait, wrong := s.check(name, secret, start)
	if wrong {
		s.loginFailed(name, wait)
	}
}

// check compares the secret, as authLimiter.begin allowed, and replies to all
// but a wrong one: its refusal must wait so long.
func (s *session) check(name, secret string, start time.Time) (wait time.Duration, wrong bool) {
	defer s.srv.authLimiter.end(s.remote, name)
	client, err := s.verify(name, secret)
	if client == nil && err == nil {
		var changed bool // since the copy of the clients was made
		if changed, err = s.srv.opt.Clients.LookAgain(s.context(), start); changed && err == nil {
			client, err = s.verify(name, secret)
		}
	}
	switch {
	case err != nil:
		s.log.Error("a client could not be looked up", "err", err)
		s.reply(454, "4.3.0", said(mime.NewText("smtpd.login_unchecked", "the login cannot be checked now: try again later"))...)
		return 0, false
	case client != nil:
		s.srv.authLimiter.succeeded(s.remote, name, start)
		s.client = client
		s.markTrusted()
		s.srv.opt.Counts.Logins.Add(1)
		s.log = s.logger().With("client", client.Name)
		s.srv.opt.Programs.Used(client.ID, "smtp", s.remote, time.Now())
		s.reply(235, "2.7.0", "authenticated")
		return 0, false
	}
	s.loginRefused(name)
	return s.srv.authLimiter.failed(s.remote, name, secret, start) - time.Since(start), true
}

// verify returns the client with this name and secret, or nil.
func (s *session) verify(name, secret string) (*store.Client, error) {
	client, err := s.srv.opt.Clients.Named(s.context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	hash := ""
	if client != nil && !client.Disabled {
		hash = client.SecretHash
	}
	if s.srv.opt.CheckSecret(hash, secret) && hash != "" {
		return client, nil
	}
	return nil, nil
}

// loginRefused notes a failed login of the client with this name, if there is one.
func (s *session) loginRefused(name string) {
	c, err := s.srv.opt.Clients.Named(s.context(), name)
	switch {
	case err != nil: // none, or said where the secret was checked
	case c.Disabled:
		s.refused(c, "client_disabled", programs.SwitchedOff())
	default:
		s.refused(c, "wrong_secret", programs.WrongSecret())
	}
}

func (s *session) loginFailed(name string, wait time.Duration) {
	s.srv.opt.Counts.LoginsRefused.Add(1)
	s.log.Warn("SMTP login failed", "name", loggable(name))
	s.pause(wait)
	s.badCommands++
	s.reply(535, "5.7.8", said(mime.NewText("smtpd.login_failed",
		"login failed: check name and secret of the client ('postino client rotate' makes a new secret)"))...)
	if s.authFails++; s.authFails >= s.srv.opt.Limits.AuthFails {
		s.closing = true
		s.reply(421, "4.7.0", "too many failed logins, closing")
	}
}

// pause delays a reply, unless the session must make room or the server stops.
func (s *session) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.makeRoom:
	case <-s.context().Done():
	}
}

// loggable hides a name that is long or no text: it may be a secret that was typed
// into the wrong field.
func loggable(name string) string {
	if !utf8.ValidString(name) {
		return "(not text)"
	}
	if len(name) > 64 {
		return "(too long)"
	}
	return name
}

// sender returns the client that the session sends as; nil when the listener
// allows sending without being a client. It is false after a refusal.
func (s *session) sender() (*store.Client, bool) {
	ctx := s.context()
	if s.client != nil { // it may have been changed since
		now, err := s.srv.opt.Clients.ByID(ctx, s.client.ID)
		switch {
		case err == nil && !now.Disabled && now.SecretHash == s.client.SecretHash:
			s.client = now
			return now, true
		case err == nil || errors.Is(err, store.ErrNotFound):
			s.closing = true
			s.reply(421, "4.7.0", said(mime.NewText("smtpd.login_over", "this login is no longer valid: log in again"))...)
			return nil, false
		}
		return nil, s.lookupFailed(err)
	}
	if s.listener.policy.auth != authRequired {
		start := time.Now()
		c, err := s.srv.opt.Clients.ByAddress(ctx, s.remote)
		if errors.Is(err, store.ErrNotFound) {
			if s.listener.policy.anonymous() {
				return nil, true
			}
			if _, err = s.srv.opt.Clients.LookAgain(ctx, start); err == nil {
				c, err = s.srv.opt.Clients.ByAddress(ctx, s.remote)
			}
		}
		if err == nil {
			s.markTrusted()
			return c, true
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, s.lookupFailed(err)
		}
	}
	t := mime.NewText("smtpd.login_required", "authentication required: set name and secret of a client in the program that sends "+
		"('postino client add' makes one)")
	if !s.authOffered() && s.startTLSOffered() {
		t = mime.NewText("smtpd.login_required_tls", "{message}; encryption (STARTTLS) must be on", "message", t)
	}
	s.badCommand(530, "5.7.0", said(t)...)
	return nil, false
}

func (s *session) lookupFailed(err error) bool {
	s.log.Error("a client could not be looked up", "err", err)
	s.reply(451, "4.3.0", said(mime.NewText("smtpd.clients_unread", "the gateway cannot look up its clients now: try again later"))...)
	return false
}
