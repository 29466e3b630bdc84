package web

import (
	"errors"
	"net/http"
	"slices"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/gateway"
	record "github.com/postino-mail/postino/internal/view"
)

// A connectionScreen is one connection.
type connectionScreen struct {
	connection
	Certificates []record.Certificate
	Scripts      []api.Script
}

// Waiting reports a certificate that has not taken over yet.
func (s *connectionScreen) Waiting() bool {
	return slices.ContainsFunc(s.Certificates, func(c record.Certificate) bool { return c.State == "waiting" })
}

// connection reads the one that the address names.
func (v *visit) connection() (*connection, error) {
	c := new(connection)
	return c, v.get(path("/v1/connections/", v.r.PathValue("id")), c)
}

func (s *Server) connection(v *visit) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	f, err := connectionForm(c.Connection)
	if err != nil {
		return err
	}
	return s.showConnection(v, c, f)
}

func (s *Server) showConnection(v *visit, c *connection, f *form) error {
	out := connectionScreen{connection: *c}
	var targets []string
	switch {
	case f.Get("provider") == "graph" || f.Get("smtp.oauth.provider") == "entra":
		var list api.CertificateList
		if err := v.get(path("/v1/connections/", c.ID, "/certificate"), &list); err != nil {
			var p *problem
			if !errors.As(err, &p) || p.Status == http.StatusUnauthorized {
				return err
			}
			// A certificate that does not open is told of by the state.
		}
		out.Certificates, targets = list.Items, []string{"entra", "exchange"}
	case f.Get("provider") == "gmail" || f.Get("smtp.oauth.provider") == "google":
		targets = []string{"google"}
	}
	for _, target := range targets {
		var script api.Script
		err := v.get(path("/v1/connections/", c.ID, "/script?for="+target), &script)
		var p *problem
		switch {
		case err == nil:
			out.Scripts = append(out.Scripts, script)
		case !errors.As(err, &p) || p.Status == http.StatusUnauthorized:
			return err
		}
	}
	return v.showForm("connection", f, &out)
}

func (s *Server) saveConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	c, err := v.connection()
	if err != nil {
		return err
	}
	f.Values.Set("provider", string(c.Provider)) // which one it is does not change
	doc := f.connectionDocument(v, true)
	if n, ok := f.setting(v, setting{"revision", kindNumber}); ok {
		doc["revision"] = n
	}
	if !f.refused() {
		if err = v.call(http.MethodPatch, path("/v1/connections/", c.ID), doc, nil); err == nil {
			return v.done("saved", path("/connections/", c.ID))
		}
		if err := f.refuseConnection(v, err); err != nil {
			return err
		}
	}
	// Which secrets are stored is the connection's to say, not the browser's.
	stored, err := connectionForm(c.Connection)
	if err != nil {
		return err
	}
	for _, s := range append(settings(string(c.Provider)), oauthSettings(f.Get("smtp.oauth.provider"))...) {
		f.Values.Set("stored."+s.path, stored.Get("stored."+s.path))
	}
	return s.showConnection(v, c, f)
}

// patchConnection changes one thing of a connection and comes back to it.
func (v *visit) patchConnection(notice string, patch map[string]any) error {
	at := path("/v1/connections/", v.r.PathValue("id"))
	if err := v.call(http.MethodPatch, at, patch, nil); err != nil {
		return err
	}
	return v.done(notice, path("/connections/", v.r.PathValue("id")))
}

func (s *Server) enableConnection(v *visit) error {
	return v.patchConnection("conn_on", map[string]any{"active": true})
}

func (s *Server) disableConnection(v *visit) error {
	return v.patchConnection("conn_off", map[string]any{"active": false})
}

func (s *Server) defaultConnection(v *visit) error {
	id := v.r.PathValue("id")
	in := map[string]string{"mode": string(gateway.DefaultUnrouted)}
	if err := v.call(http.MethodPost, path("/v1/connections/", id, "/default"), in, nil); err != nil {
		return err
	}
	return v.done("conn_default", path("/connections/", id))
}

func (s *Server) endPause(v *visit) error {
	id := v.r.PathValue("id")
	return v.resume(id, "conn_resumed", path("/connections/", id))
}

func (s *Server) makeCertificate(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.call(http.MethodPost, path("/v1/connections/", id, "/certificate"), map[string]any{}, nil); err != nil {
		return err
	}
	return v.done("conn_certificate", path("/connections/", id)+"#certificates")
}

func (s *Server) activateCertificate(v *visit) error {
	id := v.r.PathValue("id")
	if err := v.call(http.MethodPost, path("/v1/connections/", id, "/certificate/activate"), nil, nil); err != nil {
		return err
	}
	return v.done("conn_activated", path("/connections/", id))
}

// askDuplicate asks for the name of the copy.
func (s *Server) askDuplicate(v *visit) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	name := text("web.conn_copy_name", "{name} (copy)", "name", c.Name).In(v.lang)
	return v.showForm("duplicate", formOf("name", name), c)
}

func (s *Server) duplicateConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	c, err := v.connection()
	if err != nil {
		return err
	}
	var made connection
	err = v.call(http.MethodPost, path("/v1/connections/", c.ID, "/duplicate"), map[string]any{"name": f.Get("name")}, &made)
	if err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return v.showForm("duplicate", f, c)
	}
	return v.done("conn_copied", path("/connections/", made.ID))
}
