package graph

import (
	"crypto/sha1" //nolint:gosec // Entra names certificates so
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/entra"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// application answers GET /applications(appId='…') with the secrets and certificates
// of the registration, never their values (contracts A7). What else stands in this
// place is no resource of the fake.
func (g *Server) application(w http.ResponseWriter, r *http.Request) {
	rest, found := strings.CutPrefix(r.PathValue("entity"), "applications(appId='")
	id, ok := strings.CutSuffix(rest, "')")
	if !found || !ok || r.Method != http.MethodGet {
		g.unknownSegment(w, r)
		return
	}
	g.core.Count("graph.application")
	stampIDs(w, r)
	c := &call{g: g, w: w, r: r, sw: g.core.Switches()}
	if e := c.authenticate(); e != nil {
		c.failErr(e)
		return
	}
	if _, answered := g.core.HTTPFault(w, r, "graph", "application", id, g.writeError); answered {
		return
	}
	if !c.sw.GraphApplicationRead { // contracts A7.2
		c.fail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		return
	}
	registration, err := g.entra.Registration(id)
	switch {
	case err != nil:
		c.fail(http.StatusInternalServerError, "", "The certificates of the application cannot be read.")
		return
	case registration == nil:
		c.fail(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+
			"' does not exist or one of its queried reference-property objects are not present.")
		return
	}
	answer := map[string]any{"id": uuid.NewSHA1(uuid.Nil, []byte(id)).String(), "appId": id, "displayName": "postino"}
	for _, name := range strings.Split(r.URL.Query().Get("$select"), ",") {
		switch name {
		case "", "passwordCredentials":
			answer["passwordCredentials"] = secretsOf(registration)
		case "keyCredentials": // only where it is asked for
			answer["keyCredentials"] = certificatesOf(registration)
		}
	}
	core.WriteJSON(w, http.StatusOK, answer)
}

func secretsOf(reg *entra.Registration) []any {
	out := []any{}
	for _, s := range reg.Secrets {
		out = append(out, map[string]any{"customKeyIdentifier": nil, "displayName": s.Name, "endDateTime": s.Ends.UTC().Format(time.RFC3339),
			"hint": s.Hint, "keyId": uuid.NewSHA1(uuid.Nil, []byte(s.Name)).String(), "secretText": nil,
			"startDateTime": s.Begin.UTC().Format(time.RFC3339)})
	}
	return out
}

func certificatesOf(reg *entra.Registration) []any {
	out := []any{}
	for _, c := range reg.Certificates {
		sum := sha1.Sum(c.Raw) //nolint:gosec // as above
		out = append(out, map[string]any{"customKeyIdentifier": base64.StdEncoding.EncodeToString(sum[:]), "displayName": c.Subject.String(),
			"endDateTime": c.NotAfter.UTC().Format(time.RFC3339), "key": nil, "keyId": uuid.NewSHA1(uuid.Nil, sum[:]).String(),
			"startDateTime": c.NotBefore.UTC().Format(time.RFC3339), "type": "AsymmetricX509Cert", "usage": "Verify"})
	}
	return out
}
