package api

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/postino-mail/postino/adapters"
)

// privileged are the settings that are the administrator's alone: they send
// tokens elsewhere, read files of the server, use the machine's own identity or
// give up encryption.
func privileged(c *adapters.Connection) map[string]string {
	out := map[string]string{}
	if c == nil {
		return out
	}
	graph := func(prefix string, g *adapters.GraphSettings) {
		out[prefix+"authority_url"], out[prefix+"graph_url"] = g.AuthorityURL, g.GraphURL
		out[prefix+"certificate_file"], out[prefix+"federated_token_file"] = g.CertificateFile, g.FederatedTokenFile
		if g.ManagedIdentity {
			out[prefix+"managed_identity"] = "true"
		}
	}
	gmail := func(prefix string, g *adapters.GmailSettings) {
		out[prefix+"token_url"], out[prefix+"gmail_url"], out[prefix+"service_account_file"] = g.TokenURL, g.GmailURL, g.ServiceAccountFile
	}
	if c.Graph != nil {
		graph("graph.", c.Graph)
	}
	if c.Gmail != nil {
		gmail("gmail.", c.Gmail)
	}
	if s := c.SMTP; s != nil {
		out["smtp.ca_file"] = s.CAFile
		if s.AllowInsecure {
			out["smtp.allow_insecure"] = "true"
		}
		if s.OAuth != nil {
			graph("smtp.oauth.", &s.OAuth.GraphSettings)
			gmail("smtp.oauth.", &s.OAuth.GmailSettings)
		}
	}
	return out
}

// allowed refuses an edit by somebody who is no administrator where it touches
// what is the administrator's, or where it would send a stored secret to
// another server than it was given for.
func allowed(p *principal, next, old *adapters.Connection) error {
	if p.admin() {
		return nil
	}
	had, has := privileged(old), privileged(next)
	paths := make([]string, 0, len(has))
	for path := range has {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if has[path] != had[path] && has[path] != "" {
			return fail(http.StatusForbidden, "forbidden", path, path+" is for the scope admin alone", path+" è riservato allo scope admin", "ask the administrator", "chiedere all'amministratore")
		}
	}
	if old == nil || old.SMTP == nil || next.SMTP == nil || next.SMTP.Address() == old.SMTP.Address() && next.SMTP.EffectiveEncryption() == old.SMTP.EffectiveEncryption() {
		return nil
	}
	kept := map[string]adapters.Secret{}
	for _, f := range old.Secrets() {
		kept[f.Path] = *f.Value
	}
	for _, f := range next.Secrets() {
		if *f.Value != "" && *f.Value == kept[f.Path] {
			return fail(http.StatusUnprocessableEntity, "invalid_connection", f.Path, fmt.Sprintf("the server has changed, so %s must be given again", f.Path), fmt.Sprintf("il server è cambiato: %s va indicato di nuovo", f.Path), "", "")
		}
	}
	return nil
}
