package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/postino-mail/postino/internal/api"
)

// begunCookie has where someone who goes to the identity provider wanted to go here, and in
// which language they read, for the case that they come back without a sign-in.
const (
	begunCookie = "postino_begun"
	begunLife   = 600 // seconds, as the sign-in itself
)

func (v *visit) setBegun(next string) {
	v.setCookie(begunCookie, url.Values{"next": {next}, "lang": {v.lang}}.Encode(), begunLife)
}

// begun is where someone wanted to go; from here on they read in the language that they had.
func (v *visit) begun() (next string) {
	q, err := url.ParseQuery(v.cookie(begunCookie))
	if err != nil {
		return local("")
	}
	v.speak(q.Get("lang"))
	return local(q.Get("next"))
}

// beginExternal sends the browser to the identity provider.
func (s *Server) beginExternal(v *visit) error {
	var to api.ExternalRequest
	next := local(v.r.URL.Query().Get("next"))
	if err := v.call(http.MethodPost, "/v1/sign-in/oidc/begin", map[string]string{"next": next}, &to); err != nil {
		return s.externalFailed(v, next, err)
	}
	v.setBegun(next)
	http.Redirect(v.w, v.r, to.URL, http.StatusSeeOther)
	return nil
}

// finishExternal takes the browser back.
func (s *Server) finishExternal(v *visit) error {
	q, next := v.r.URL.Query(), v.begun()
	if q.Get("error") != "" || q.Get("code") == "" { // what the provider says of it is not shown: anyone can write such a link
		detail := text("web.provider_cancelled", "the identity provider did not sign you in: try again, or use your password")
		if next == linkedNext {
			detail = text("web.provider_no_account", "the identity provider did not confirm an account: nothing was linked")
		}
		return s.externalFailed(v, next, &problem{Detail: detail})
	}
	var in api.ExternalSignIn
	if err := v.call(http.MethodPost, "/v1/sign-in/oidc", map[string]string{"state": q.Get("state"), "code": q.Get("code")}, &in); err != nil {
		return s.externalFailed(v, next, err)
	}
	v.setCookie(begunCookie, "", -1)
	if in.Next == linkedNext {
		return v.done("linked", "/settings")
	}
	return v.redirect(in.Next)
}

// externalFailed shows what went wrong: at the sign-in, which leads to next, or to who is signed in where the
// account would be linked.
func (s *Server) externalFailed(v *visit, next string, err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	again := *p
	again.Status, again.Code = http.StatusUnprocessableEntity, ""
	f := formOf()
	if err := f.refuse(v, &again); err != nil {
		return err
	}
	if err := v.identify(); err != nil { // no session
		return v.showForm("login", f, s.loginScreen(next))
	}
	return s.showSettings(v, settingsScreen{Account: f}, nil)
}

// linkedNext is where the browser goes when an account was linked.
const linkedNext = "/settings#account"

// A leaveScreen sends the browser to the identity provider.
type leaveScreen struct{ Name, URL string }

// linkAccount sends the browser to the identity provider by way of a screen: the policy
// lets no form end at another site.
func (s *Server) linkAccount(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	var to api.ExternalRequest
	err = v.call(http.MethodPost, "/v1/me/account/begin", map[string]string{"present": f.Secret("account_present"), "next": linkedNext}, &to)
	if err != nil {
		if err := f.refuseSignIn(v, err); err != nil {
			return err
		}
		return s.showSettings(v, settingsScreen{Account: f}, nil)
	}
	v.setBegun(linkedNext)
	v.w.Header().Set("Refresh", "0; url="+to.URL)
	return v.showForm("leave", f, leaveScreen{s.opt.Provider.Name, to.URL})
}

func (s *Server) unlinkAccount(v *visit) error {
	if err := v.call(http.MethodPatch, "/v1/me", map[string]bool{"unlink": true}, nil); err != nil {
		f := formOf()
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return s.showSettings(v, settingsScreen{Account: f}, nil)
	}
	return v.done("unlinked", "/settings")
}
