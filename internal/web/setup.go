package web

import (
	"errors"
	"net/http"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// A setupScreen is where an invited person, or the first one, chooses how to sign in.
type setupScreen struct {
	api.Invited
	Action string
	Token  string
}

// invited says for whom the link in the address is.
func (s *Server) invited(v *visit) (*setupScreen, error) {
	token := v.r.PathValue("token")
	out := &setupScreen{Action: path("/setup/", token), Token: token}
	err := v.call(http.MethodPost, "/v1/invitations/look-up", map[string]string{"token": token}, &out.Invited)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusGone {
		// What the API advises is for programs: here it is for people.
		return nil, &problem{Status: p.Status, Detail: p.Detail, Hint: text("web.link_ended_hint",
			"ask an administrator for a new link; for the first start, start the server again: it prints a new one")}
	}
	return out, err
}

func (s *Server) setup(v *visit) error {
	data, err := s.invited(v)
	if err != nil {
		return err
	}
	if data.Language != "" {
		v.speak(data.Language)
		v.override()
	}
	return v.showForm("setup", formOf("email", data.Email, "name", data.Name, "language", v.lang), data)
}

func (s *Server) acceptInvitation(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	v.speak(f.Get("language"))
	token := v.r.PathValue("token")
	data, err := s.invited(v)
	if err != nil {
		return err
	}
	if f.Secret("password") != f.Secret("again") {
		f.object("again", text("web.passwords_differ", "this is not the same password"), v.lang)
		return v.showForm("setup", f, data)
	}
	in := map[string]any{"token": token, "name": f.Get("name"), "language": f.Get("language")}
	if f.Checked("credential") {
		in["passkey"] = f.credential()
	}
	if password := f.Secret("password"); password != "" || in["passkey"] == nil {
		in["password"] = password
	}
	if data.First {
		in["email"] = f.Get("email")
	}
	var p view.Person
	if err := v.call(http.MethodPost, "/v1/invitations/accept", in, &p); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return v.showForm("setup", f, data)
	}
	// The first administrator goes on with the first connection.
	if data.First {
		return v.redirect("/connections/new")
	}
	return v.redirect("/")
}
