package api

import (
	"errors"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
)

// cookieName is that of the cookie with a session's token. Over TLS the prefix has browsers
// refuse one that another host of the domain has set (RFC 6265bis section 4.1.3.2).
const (
	cookieName   = "postino_session"
	securePrefix = "__Host-"
)

// byTLS reports whether the browser reached the server by TLS, as far as this
// server or a proxy that it trusts can tell.
func (a *authenticator) byTLS(r *http.Request) bool {
	return r.TLS != nil || a.secure || a.proxies.relayedByTLS(r)
}

// cookie is the session's token that a browser shows; empty: none.
func (a *authenticator) cookie(r *http.Request) adapters.Secret { return a.shown(r, cookieName) }

// shown is the token in one of the cookies that newCookie makes; empty: none.
func (a *authenticator) shown(r *http.Request, name string) adapters.Secret {
	if a.byTLS(r) {
		name = securePrefix + name
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return adapters.Secret(c.Value)
}

// sessionCookie is the cookie of a session that has begun; nil: ends it.
func (a *authenticator) sessionCookie(r *http.Request, in *people.SignedIn) http.Cookie {
	if in == nil {
		return a.newCookie(r, cookieName, "", -1)
	}
	return a.newCookie(r, cookieName, in.Token, int(in.Session.ExpiresAt.Sub(in.Session.CreatedAt).Seconds()))
}

// newCookie is a cookie with a token, for life seconds; negative: ends it.
func (a *authenticator) newCookie(r *http.Request, name string, token adapters.Secret, life int) http.Cookie {
	c := http.Cookie{Name: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Value: token.Reveal(), MaxAge: life}
	if a.byTLS(r) {
		c.Name, c.Secure = securePrefix+name, true
	}
	return c
}

// bySession returns the person of the session in the cookie. What another site has
// a browser do is refused before the cookie is looked at.
func (a *authenticator) bySession(r *http.Request, token adapters.Secret) (*principal, error) {
	if err := a.sameOrigin(r); err != nil {
		return nil, err
	}
	p, s, err := a.people.BySession(r.Context(), token)
	if errors.Is(err, people.ErrEnded) {
		return nil, unauthorized(text("api.session_ended", "the session has ended: sign in again"))
	}
	if err != nil {
		return nil, err
	}
	return signedIn(p, s), nil
}

// sameOrigin refuses changes that a page of another site has a browser ask for
// (Fetch Metadata, RFC 6454 origins).
func (a *authenticator) sameOrigin(r *http.Request) error {
	if a.guard.Check(r) != nil {
		return crossSite(text("api.cross_origin", "a web page of another site sent this request"))
	}
	return nil
}

// actor names the caller of a request for the audit trail.
func (a *authenticator) actor(p *principal, r *http.Request) store.Actor {
	out := p.actor()
	out.At, out.Program = a.now(), clip(r.UserAgent())
	if byPage(r) {
		out.Via = store.ViaPage
	}
	if from, err := a.proxies.origin(r); err == nil && from.peer == nil {
		out.Address = from.addr.String()
	}
	return out
}
