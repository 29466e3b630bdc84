package web

import (
	"encoding/json"
	"net/http"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// A Fact is one line of what /settings shows of the server.
type Fact struct {
	Name  mime.Text
	Value interface{ In(lang string) string } // such as Value("30d") or a mime.Text
}

// A Value is the same in every language.
type Value string

// In implements Fact.Value.
func (v Value) In(string) string { return string(v) }

// A settingsScreen is what a person sets for themselves, and what the server is set to.
type settingsScreen struct {
	Person   view.Person
	Sessions []view.Session
	Password *form
	Passkey  *form
	Account  *form
	Provider Provider
	Linked   bool // the person has an account at the provider
	Facts    []Fact
	Version  string
}

func (s *Server) settings(v *visit) error { return s.showSettings(v, settingsScreen{}, nil) }

// showSettings shows the screen; forms in out and you, where they are not nil, were refused.
func (s *Server) showSettings(v *visit, out settingsScreen, you *form) error {
	var sessions api.SessionList
	if err := v.get("/v1/me/sessions", &sessions); err != nil {
		return err
	}
	out.Person, out.Sessions, out.Version, out.Provider = *v.person, sessions.Items, s.opt.Version, s.opt.Provider
	out.Linked = v.person.Account != nil && v.person.Account.Issuer == s.opt.Provider.Issuer
	if v.admin() {
		out.Facts = s.opt.Facts
	}
	if you == nil {
		you = formOf("name", v.person.Name, "language", v.person.Language, "theme", v.theme)
	}
	status := http.StatusOK
	for _, f := range []**form{&you, &out.Password, &out.Passkey, &out.Account} {
		switch {
		case *f == nil:
			*f = formOf()
		case (*f).refused():
			status = (*f).status
		}
	}
	return v.write(status, "settings", &frame{visit: v, Data: out, Form: you})
}

func (s *Server) changeSettings(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := map[string]any{"name": f.Get("name")}
	if lang := f.Get("language"); lang != "" {
		in["language"] = lang
	}
	if err := v.call(http.MethodPatch, "/v1/me", in, nil); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return s.showSettings(v, settingsScreen{}, f)
	}
	switch theme := f.Get("theme"); theme {
	case "light", "dark":
		v.setCookie(themeCookie, theme, 365*24*3600)
	default:
		v.setCookie(themeCookie, "", -1)
	}
	return v.done("saved", "/settings")
}

func (s *Server) changePassword(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	if f.Secret("new") != f.Secret("again") {
		f.object("again", text("web.passwords_differ", "this is not the same password"), v.lang)
		return s.showSettings(v, settingsScreen{Password: f}, nil)
	}
	err = v.call(http.MethodPut, "/v1/me/password", map[string]string{"present": f.Secret("present"), "new": f.Secret("new")}, nil)
	if err != nil {
		if err := f.refuseSignIn(v, err); err != nil {
			return err
		}
		return s.showSettings(v, settingsScreen{Password: f}, nil)
	}
	return v.done("password_changed", "/settings")
}

func (s *Server) endSession(v *visit) error {
	if err := v.call(http.MethodDelete, path("/v1/me/sessions/", v.r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	return v.done("session_ended", "/settings")
}

// endSessions ends all sessions of the reader, the present one last.
func (s *Server) endSessions(v *visit) error {
	var list api.SessionList
	if err := v.get("/v1/me/sessions", &list); err != nil {
		return err
	}
	present := ""
	for _, session := range list.Items {
		if session.Current {
			present = session.ID
			continue
		}
		if err := v.call(http.MethodDelete, path("/v1/me/sessions/", session.ID), nil, nil); err != nil {
			return err
		}
	}
	if present != "" {
		if err := v.call(http.MethodDelete, path("/v1/me/sessions/", present), nil, nil); err != nil {
			return err
		}
	}
	return v.done("sessions_ended", "/login")
}

// credential is what the browser has made of a passkey; page.js puts it into the form.
func (f *form) credential() json.RawMessage {
	if c := json.RawMessage(f.Values.Get("credential")); json.Valid(c) {
		return c
	}
	return json.RawMessage(`{}`)
}

func (s *Server) addPasskey(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := map[string]any{"name": f.Get("passkey_name"), "credential": f.credential()}
	if err := v.call(http.MethodPost, "/v1/me/passkeys", in, nil); err != nil {
		if err := f.refuseSignIn(v, err); err != nil {
			return err
		}
		return s.showSettings(v, settingsScreen{Passkey: f}, nil)
	}
	return v.done("passkey_added", "/settings")
}

func (s *Server) removePasskey(v *visit) error {
	if err := v.call(http.MethodDelete, path("/v1/me/passkeys/", v.r.PathValue("id")), nil, nil); err != nil {
		f := formOf()
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return s.showSettings(v, settingsScreen{Passkey: f}, nil)
	}
	return v.done("removed", "/settings")
}

// signInByPasskey takes what the browser answered.
func (s *Server) signInByPasskey(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	next := local(f.Get("next"))
	v.speak(f.Get("lang"))
	if err := v.call(http.MethodPost, "/v1/sign-in/passkey", map[string]any{"credential": f.credential()}, nil); err != nil {
		if err := f.refuseSignIn(v, err); err != nil {
			return err
		}
		return v.showForm("login", f, s.loginScreen(next))
	}
	return v.redirect(next)
}
