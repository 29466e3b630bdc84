package web

import (
	"net/http"

	"github.com/postino-mail/postino/internal/view"
)

// A loginScreen is where people sign in.
type loginScreen struct {
	Next     string // where to then
	Provider string // name; empty: there is none
}

func (s *Server) loginScreen(next string) loginScreen { return loginScreen{next, s.opt.Provider.Name} }

func (s *Server) login(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	return v.showForm("login", f, s.loginScreen(local(f.Get("next"))))
}

func (s *Server) signIn(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	next := local(f.Get("next"))
	v.speak(f.Get("lang")) // in which the form was shown
	var p view.Person
	err = v.call(http.MethodPost, "/v1/sign-in", map[string]string{"email": f.Get("email"), "password": f.Secret("password")}, &p)
	if err != nil {
		if err := f.refuseSignIn(v, err); err != nil {
			return err
		}
		return v.showForm("login", f, s.loginScreen(next))
	}
	return v.redirect(next)
}

func (s *Server) signOut(v *visit) error {
	if err := v.call(http.MethodPost, "/v1/sign-out", nil, nil); err != nil {
		return err
	}
	return v.done("signed_out", "/login")
}
