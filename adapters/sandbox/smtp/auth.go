package smtp

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/xdg-go/scram"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// Failures of an authentication exchange.
var (
	errAuthRefused   = errors.New("credentials refused")
	errAuthCancelled = errors.New("cancelled by the client")
	errAuthSyntax    = errors.New("malformed response")
	errAuthGone      = errors.New("the client is gone")
)

// mechanisms are the SASL mechanisms offered; Exchange and Gmail offer few
// (contracts D1, D2).
func (c *session) mechanisms() []string {
	mechs := []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"}
	switch c.style() {
	case "exchange":
		mechs = []string{"LOGIN", "XOAUTH2"}
	case "gmail":
		mechs = []string{"LOGIN", "PLAIN", "XOAUTH2", "OAUTHBEARER"}
	}
	return slices.DeleteFunc(mechs, func(m string) bool { return !c.offers(m) })
}

// authenticate answers AUTH (RFC 4954).
func (c *session) authenticate(cmd command) {
	c.server.core.Count("smtp.auth")
	mech, initial, hasInitial := strings.Cut(cmd.arg, " ")
	mech = strings.ToUpper(mech)
	refusal := ""
	switch {
	case mech == "":
		refusal = "501 5.5.4 Syntax: AUTH mechanism"
	case !c.esmtp:
		refusal = "503 5.5.1 Error: send EHLO first"
	case c.login != "":
		refusal = "503 5.5.1 Error: already authenticated"
	case c.tx != nil:
		refusal = "503 5.5.1 Error: MAIL transaction in progress"
	case !c.mayAuthenticate():
		c.server.violation("AUTH before TLS")
		refusal = "538 5.7.11 Encryption required for requested authentication mechanism"
	case !slices.Contains(c.mechanisms(), mech):
		refusal = "504 5.5.4 Unrecognized authentication type"
	}
	if refusal != "" {
		c.reply(refusal)
		return
	}
	x := &authExchange{c: c, initial: initial, hasInitial: hasInitial}
	login, err := x.run(mech)
	if errors.Is(err, errAuthGone) {
		c.closing = true
		return
	}
	f, ok := c.server.core.Fault("smtp", "auth", login)
	if ok && !f.After && c.act(f) {
		return
	}
	text := c.authReply(login, err)
	if ok && f.After && c.act(f) {
		return
	}
	c.reply(text)
}

// authReply is the reply to a finished exchange; with it the session belongs to login.
func (c *session) authReply(login string, err error) string {
	switch {
	case errors.Is(err, errAuthCancelled):
		return "501 5.7.0 Authentication cancelled"
	case errors.Is(err, errAuthSyntax):
		return "501 5.5.2 Cannot decode response"
	case err != nil:
		c.server.core.Count("smtp.auth_refused")
		return c.authFailure()
	}
	n, leave := c.server.core.Enter("smtp", login)
	if limit := c.switches().SMTPConcurrency; limit > 0 && n > limit { // contracts D4
		leave()
		return "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. " +
			"[Hostname=localhost]"
	}
	c.login, c.leave = login, leave
	if c.style() == "gmail" {
		return "235 2.7.0 Accepted"
	}
	return "235 2.7.0 Authentication successful" // contracts D1.1
}

// authFailure is contracts D1 and D5.
func (c *session) authFailure() string {
	switch c.style() {
	case "exchange":
		return "535 5.7.3 Authentication unsuccessful [localhost " + c.server.core.Now().UTC().Format("2006-01-02T15:04:05.000Z") +
			" 08DE29D5C4B1A2F3]"
	case "gmail":
		return "535 5.7.8 Username and Password not accepted. For more information, go to\n" +
			"535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp"
	}
	return "535 5.7.8 Error: authentication failed"
}

// An authExchange is one run of a SASL mechanism.
type authExchange struct {
	c          *session
	initial    string
	hasInitial bool
}

// run returns the login that authenticated. With errAuthRefused it is whom the
// client claimed to be.
func (x *authExchange) run(mech string) (string, error) {
	switch mech {
	case "PLAIN":
		return x.plain()
	case "LOGIN":
		return x.login()
	case "CRAM-MD5":
		return x.cramMD5()
	case "SCRAM-SHA-1":
		return x.scram(scram.SHA1)
	case "SCRAM-SHA-256":
		return x.scram(scram.SHA256)
	case "XOAUTH2":
		return x.xoauth2()
	}
	return x.oauthBearer()
}

// first is the initial response, asked for when it was not sent.
func (x *authExchange) first() ([]byte, error) {
	switch {
	case !x.hasInitial:
		return x.ask(nil)
	case x.initial == "=": // RFC 4954 section 4: present and empty
		return []byte{}, nil
	}
	return decodeSASL(x.initial)
}

// ask sends a challenge and reads the response.
func (x *authExchange) ask(challenge []byte) ([]byte, error) {
	c := x.c
	_, _ = c.bw.WriteString("334 " + base64.StdEncoding.EncodeToString(challenge) + "\r\n") // Flush returns an error
	if !c.flush() {
		return nil, errAuthGone
	}
	line, err := c.readLine(maxAuthLine)
	var syntax syntaxError
	switch {
	case errors.As(err, &syntax):
		c.server.violation("AUTH response: %s", syntax.what)
		return nil, errAuthSyntax
	case err != nil:
		return nil, errAuthGone
	case c.br.Buffered() > 0:
		c.server.violation("input after an AUTH response before its reply")
		return nil, errAuthSyntax
	case string(line) == "*":
		return nil, errAuthCancelled
	}
	return decodeSASL(string(line))
}

func decodeSASL(v string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(v)
	if err != nil {
		return nil, errAuthSyntax
	}
	return b, nil
}

// check compares a password.
func (x *authExchange) check(login, password string) (string, error) {
	want := x.c.server.Password(login)
	if !x.c.server.exists(login) || subtle.ConstantTimeCompare([]byte(password), []byte(want)) != 1 {
		return login, errAuthRefused
	}
	return login, nil
}

// exists: see Server.
func (v *Server) exists(login string) bool {
	switch m, standing := v.core.Lookup(login); standing {
	case core.Missing, core.NoMailbox, core.Alias:
		return false
	case core.Listed:
		return !slices.Contains([]string{"blocked", "disabled", "nolicense", "onprem"}, m.State)
	}
	return strings.Contains(login, "@") && !strings.HasPrefix(core.Normalize(login), "unknown")
}

func (x *authExchange) plain() (string, error) { // RFC 4616
	resp, err := x.first()
	if err != nil {
		return "", err
	}
	parts := strings.Split(string(resp), "\x00")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return "", errAuthSyntax
	}
	if parts[0] != "" && parts[0] != parts[1] {
		return parts[1], errAuthRefused
	}
	return x.check(parts[1], parts[2])
}

func (x *authExchange) login() (string, error) {
	var user []byte
	var err error
	if x.hasInitial {
		user, err = x.first()
	} else {
		user, err = x.ask([]byte("Username:"))
	}
	if err != nil {
		return "", err
	}
	pass, err := x.ask([]byte("Password:"))
	if err != nil {
		return string(user), err
	}
	return x.check(string(user), string(pass))
}

func (x *authExchange) cramMD5() (string, error) { // RFC 2195
	if x.hasInitial {
		return "", errAuthSyntax
	}
	challenge := "<" + uuid.NewString() + "@localhost>"
	resp, err := x.ask([]byte(challenge))
	if err != nil {
		return "", err
	}
	i := strings.LastIndexByte(string(resp), ' ')
	if i < 0 {
		return "", errAuthSyntax
	}
	user, digest := string(resp[:i]), string(resp[i+1:])
	mac := hmac.New(md5.New, []byte(x.c.server.Password(user)))
	mac.Write([]byte(challenge))
	if !x.c.server.exists(user) || subtle.ConstantTimeCompare([]byte(digest), []byte(hex.EncodeToString(mac.Sum(nil)))) != 1 {
		return user, errAuthRefused
	}
	return user, nil
}

func (x *authExchange) scram(hash scram.HashGeneratorFcn) (string, error) { // RFC 5802, RFC 7677
	server, err := hash.NewServer(func(user string) (scram.StoredCredentials, error) {
		if !x.c.server.exists(user) {
			return scram.StoredCredentials{}, errAuthRefused
		}
		client, err := hash.NewClient(user, x.c.server.Password(user), "")
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		salt := sha256.Sum256(append([]byte("salt:"+user), x.c.server.key...))
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt[:16]), Iters: 4096})
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAuthRefused, err)
	}
	conv := server.NewConversation()
	resp, err := x.first()
	for err == nil {
		var challenge string
		if challenge, err = conv.Step(string(resp)); err != nil {
			return conv.Username(), errAuthRefused
		}
		resp, err = x.ask([]byte(challenge))
		if err == nil && conv.Done() {
			break
		}
	}
	switch {
	case err != nil:
		return conv.Username(), err
	case len(resp) > 0: // SMTP has no room for data with 235: the client answers the last step with nothing
		return conv.Username(), errAuthSyntax
	case !conv.Valid() || conv.AuthzID() != "" && conv.AuthzID() != conv.Username():
		return conv.Username(), errAuthRefused
	}
	return conv.Username(), nil
}
