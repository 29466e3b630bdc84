package web

import (
	"net/http"
	"strconv"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

func (s *Server) people(v *visit) error {
	var list api.PersonList
	if err := v.get("/v1/people", &list); err != nil {
		return err
	}
	return v.show("people", list)
}

func (s *Server) newPerson(v *visit) error {
	if !v.admin() {
		return forbidden()
	}
	return v.showForm("newperson", formOf("role", "operator"), nil)
}

func (s *Server) addPerson(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := map[string]any{"email": f.Get("email"), "name": f.Get("name"), "role": f.Get("role")}
	if lang := f.Get("language"); lang != "" {
		in["language"] = lang
	}
	var added api.NewPerson
	if err := v.call(http.MethodPost, "/v1/people", in, &added); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return v.showForm("newperson", f, nil)
	}
	return s.showPerson(v, &added.Person, nil, added.Invitation)
}

// A personScreen is one person.
type personScreen struct {
	Person   view.Person
	Sessions []view.Session
	Link     string // that was just made; shown once
}

func (s *Server) person(v *visit) error {
	var p view.Person
	if err := v.get(path("/v1/people/", v.r.PathValue("id")), &p); err != nil {
		return err
	}
	return s.showPerson(v, &p, nil, nil)
}

// showPerson shows a person; f is the form as it was refused, nil: as the person is.
func (s *Server) showPerson(v *visit, p *view.Person, f *form, link *api.Link) error {
	var sessions api.SessionList
	if err := v.get(path("/v1/people/", p.ID, "/sessions"), &sessions); err != nil {
		return err
	}
	out := personScreen{Person: *p, Sessions: sessions.Items}
	if link != nil {
		out.Link = v.absolute(link.URL)
	}
	if f == nil {
		f = formOf("email", p.Email, "name", p.Name, "role", p.Role, "language", p.Language, "revision", strconv.FormatInt(p.Revision, 10))
		if p.Disabled {
			f.Values.Set("disabled", "on")
		}
	}
	return v.showForm("person", f, out)
}

func (s *Server) changePerson(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	at := path("/v1/people/", v.r.PathValue("id"))
	revision, err := strconv.ParseInt(f.Get("revision"), 10, 64)
	if err != nil {
		revision = 0 // whatever it is
	}
	in := map[string]any{"email": f.Get("email"), "name": f.Get("name"), "role": f.Get("role"), "disabled": f.Checked("disabled"),
		"revision": revision}
	if lang := f.Get("language"); lang != "" {
		in["language"] = lang
	}
	if err := v.call(http.MethodPatch, at, in, nil); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		var p view.Person
		if err := v.get(at, &p); err != nil {
			return err
		}
		return s.showPerson(v, &p, f, nil)
	}
	return v.done("saved", path("/people/", v.r.PathValue("id")))
}

func (s *Server) invitePerson(v *visit) error {
	at := path("/v1/people/", v.r.PathValue("id"))
	var link api.Link
	if err := v.call(http.MethodPost, at+"/invite", nil, &link); err != nil {
		return err
	}
	var p view.Person
	if err := v.get(at, &p); err != nil {
		return err
	}
	return s.showPerson(v, &p, nil, &link)
}

func (s *Server) unlinkPerson(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.call(http.MethodPatch, path("/v1/people/", id), map[string]bool{"unlink": true}, nil); err != nil {
		return err
	}
	return v.done("unlinked", path("/people/", id))
}

func (s *Server) endPersonSessions(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.call(http.MethodDelete, path("/v1/people/", id, "/sessions"), nil, nil); err != nil {
		return err
	}
	return v.done("sessions_ended", path("/people/", id))
}

func (s *Server) askRemovePerson(v *visit) error {
	var p view.Person
	if err := v.get(path("/v1/people/", v.r.PathValue("id")), &p); err != nil {
		return err
	}
	return v.show("confirm", removal(&p))
}

func removal(p *view.Person) confirmation {
	return confirmation{Title: text("web.remove_title", "Delete {name}?", "name", p.Email), Action: path("/people/", p.ID, "/remove"),
		Back: path("/people/", p.ID), Button: text("web.delete", "Delete"),
		Lines: []sentence{
			text("web.remove_person_what", "{name} can no longer sign in. Their sessions end and their API keys stop working.", "name", p.Email),
			text("web.remove_person_stays", "Their connections stay and become the administrators'. What they did stays in the audit trail."),
			text("web.no_undo", "This cannot be undone."),
		}}
}

func (s *Server) removePerson(v *visit) error {
	at := path("/v1/people/", v.r.PathValue("id"))
	if err := v.call(http.MethodDelete, at, nil, nil); err != nil {
		f := formOf()
		if err := f.refuse(v, err); err != nil {
			return err
		}
		var p view.Person
		if err := v.get(at, &p); err != nil {
			return err
		}
		return v.showForm("confirm", f, removal(&p))
	}
	return v.done("removed", "/people")
}
