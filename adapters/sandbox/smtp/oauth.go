package smtp

import (
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/entra"
	"github.com/postino-mail/postino/adapters/sandbox/google"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// gmailOAuthFailure is the challenge that tells a client why (contracts D1);
// OAUTHBEARER's is RFC 7628 section 3.2.2.
const gmailOAuthFailure = `{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}`

func (x *authExchange) xoauth2() (string, error) {
	resp, err := x.first()
	if err != nil {
		return "", err
	}
	user, token, ok := parseXOAUTH2(string(resp))
	if ok && x.bearer(user, token) {
		return user, nil
	}
	if x.c.style() == "exchange" { // contracts D1: refused at once
		return user, errAuthRefused
	}
	resp, err = x.ask([]byte(gmailOAuthFailure))
	if err != nil {
		return user, err
	}
	if len(resp) > 0 {
		x.c.server.violation("XOAUTH2: the failure is answered by an empty line")
	}
	return user, errAuthRefused
}

func (x *authExchange) oauthBearer() (string, error) {
	resp, err := x.first()
	if err != nil {
		return "", err
	}
	user, token, ok := parseOAuthBearer(string(resp))
	if ok && x.bearer(user, token) {
		return user, nil
	}
	resp, err = x.ask([]byte(gmailOAuthFailure))
	if err != nil {
		return user, err
	}
	if string(resp) != "\x01" {
		x.c.server.violation("OAUTHBEARER: the failure is answered by a single ^A")
	}
	return user, errAuthRefused
}

// bearer checks the token of the fake Entra (audience Outlook, contracts D2.4)
// or Google (scope mail.google.com for this very mailbox, D3.2).
func (x *authExchange) bearer(user, token string) bool {
	v := x.c.server
	if !v.exists(user) || strings.HasPrefix(core.Normalize(user), "noaccess") {
		return false
	}
	style := x.c.style()
	if style != "exchange" {
		if t, ok := v.google.Verify(token); ok {
			return t.Subject == core.Normalize(user) && t.Allows(google.ScopeMail)
		}
	}
	if style == "gmail" {
		return false
	}
	t, err := v.entra.Verify(token)
	return err == nil && t.Audience == entra.OutlookResource && t.Consented
}

// parseXOAUTH2 reads "user=<mailbox>^Aauth=Bearer <token>^A^A" (contracts D1).
func parseXOAUTH2(v string) (user, token string, ok bool) {
	v, ok = strings.CutSuffix(v, "\x01\x01")
	if !ok {
		return "", "", false
	}
	who, auth, ok := strings.Cut(v, "\x01")
	user, ok1 := strings.CutPrefix(who, "user=")
	token, ok2 := strings.CutPrefix(auth, "auth=Bearer ")
	return user, token, ok && ok1 && ok2 && user != "" && isToken68(token)
}

// parseOAuthBearer reads RFC 7628 section 3.1: a GS2 header, then key=value
// pairs, each ended by ^A, and a last ^A.
func parseOAuthBearer(v string) (user, token string, ok bool) {
	header, pairs, ok := strings.Cut(v, "\x01")
	if !ok {
		return "", "", false
	}
	parts := strings.Split(header, ",")
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" || parts[2] != "" {
		return "", "", false
	}
	user, ok = strings.CutPrefix(parts[1], "a=")
	if !ok {
		return "", "", false
	}
	user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(user) // RFC 5801 saslname
	pairs, ok = strings.CutSuffix(pairs, "\x01\x01")
	if !ok {
		return user, "", false
	}
	for pair := range strings.SplitSeq(pairs, "\x01") {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return user, "", false
		}
		if strings.EqualFold(key, "auth") {
			token, ok = strings.CutPrefix(value, "Bearer ")
			if !ok || !isToken68(token) {
				return user, "", false
			}
		}
	}
	return user, token, user != "" && token != ""
}

// isToken68 checks a bearer token (RFC 6750 section 2.1).
func isToken68(v string) bool {
	v = strings.TrimRight(v, "=")
	return v != "" && !strings.ContainsFunc(v, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("-._~+/", r) })
}
