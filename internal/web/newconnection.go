package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/api"
	record "github.com/postino-mail/postino/internal/view"
)

// A newScreen is a new connection: first its address, then what was found of it, then
// its settings. All but secrets is in the address, so that it can be gone on with
// later, or sent to a colleague.
type newScreen struct {
	Found     *record.Detection // nil: no address was typed
	Proposals []proposed
	Run       *testRun    // of the settings before they are stored; nil: no test was asked for
	Script    *api.Script // that makes the application; nil: there is one, or none is needed
	Kinds     []proposed  // to begin without an address
}

// A proposed way to connect, and the address of its form.
type proposed struct {
	record.Proposal
	Path string
}

func (s *Server) newConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	if f.Get("provider") != "" {
		if !f.Checked("off") {
			f.Values.Set("active", "on")
		}
		return s.showNewConnection(v, f, nil)
	}
	out := &newScreen{}
	for _, provider := range []string{"graph", "gmail", "smtp"} {
		q := url.Values{"provider": {provider}}
		title := cmp.Or(serviceName(provider), strings.ToUpper(provider))
		out.Kinds = append(out.Kinds, proposed{record.Proposal{Title: title}, "/connections/new?" + q.Encode()})
	}
	if address := f.Get("address"); address != "" {
		found := new(record.Detection)
		err := v.call(http.MethodPost, "/v1/connections/detect", map[string]string{"address": address}, found)
		switch {
		case err != nil:
			if err := f.refuse(v, err); err != nil {
				return err
			}
		default:
			out.Found = found
			for _, p := range found.Proposals {
				out.Proposals = append(out.Proposals, proposed{p, "/connections/new?" + proposalQuery(&p, found.Address)})
			}
		}
	}
	return v.showForm("newconnection", f, out)
}

// proposalQuery are the values of a proposal for the address of the form.
func proposalQuery(p *record.Proposal, address string) string {
	f := formOf("provider", p.Provider, "from", address)
	f.fillConnection(plainTree(p.Connection))
	if p.Server != nil { // numbers of the API's own come as they are
		f.Values.Set("smtp.port", strconv.Itoa(p.Server.Port))
	}
	f.Values.Set("name", address)
	f.Values.Set("credential", p.Credential)
	return f.Values.Encode()
}

// plainTree is a tree without what is none of the form's.
func plainTree(doc map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range doc {
		if name != "active" && name != "revision" {
			out[name] = value
		}
	}
	return out
}

// showNewConnection shows the settings of a connection that is not stored.
func (s *Server) showNewConnection(v *visit, f *form, run *testRun) error {
	out := &newScreen{Run: run}
	issuer := f.Get("smtp.oauth.provider")
	at := map[bool]string{true: "graph.", false: "smtp.oauth."}[f.Get("provider") == "graph"]
	if (f.Get("provider") == "graph" || issuer == "entra") && f.Get(at+"tenant") != "" && f.Get(at+"client_id") == "" {
		script := new(api.Script)
		// Without the values that it needs there is no script yet, and the form says which.
		if v.call(http.MethodPost, "/v1/connections/script?for=entra", f.connectionDocument(v, false), script) == nil {
			out.Script = script
		}
	}
	return v.showForm("newsettings", f, out)
}

// createConnection stores what was typed, with a certificate that postino makes where
// the connection needs one and no credential was given.
func (s *Server) createConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	if f.Get("provider") == "" {
		return v.redirect("/connections/new")
	}
	doc := f.connectionDocument(v, false)
	if !f.refused() {
		operation, notice := "/v1/connections", "conn_added"
		if f.wantsCertificate() {
			operation, notice = "/v1/connections/certificate", "conn_by_certificate"
		}
		var made connection
		if err = v.call(http.MethodPost, operation, doc, &made); err == nil {
			return v.done(notice, path("/connections/", made.ID))
		}
		if err := f.refuseConnection(v, err); err != nil {
			return err
		}
	}
	return s.showNewConnection(v, f, nil)
}

// wantsCertificate reports a connection of Microsoft's for which no credential was
// typed.
func (f *form) wantsCertificate() bool {
	switch {
	case f.Get("provider") == "graph":
		return f.Secret("graph.client_secret") == "" && f.Secret("graph.certificate") == ""
	case f.Get("smtp.oauth.provider") == "entra":
		return f.Secret("smtp.oauth.client_secret") == "" && f.Secret("smtp.oauth.certificate") == ""
	}
	return false
}

// tryConnection tests what was typed before it is stored.
func (s *Server) tryConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	doc := f.connectionDocument(v, false)
	var run *testRun
	if !f.refused() {
		if run, err = v.test("/v1/connections/test", doc); err != nil {
			if v.live() {
				return v.refuseLive(f, err)
			}
			if err := f.refuseConnection(v, err); err != nil {
				return err
			}
		}
	} else if v.live() {
		return v.showSummary(f)
	}
	if v.live() {
		return nil
	}
	return s.showNewConnection(v, f, run)
}
