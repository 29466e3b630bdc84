package sandbox

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// managedIdentityHeader is the proof that a process runs on the fake host.
const managedIdentityHeader = "sandbox-managed-identity"

// ManagedIdentityEnv are the environment variables of a host with a managed
// identity, in the form of Azure App Service, which is the one that can be
// pointed elsewhere. The identity has the rights of ClientID.
func (s *Sandbox) ManagedIdentityEnv() map[string]string {
	return map[string]string{"IDENTITY_ENDPOINT": s.ControlURL() + "/msi/token", "IDENTITY_HEADER": managedIdentityHeader}
}

// GraphManagedIdentityConnection is GraphConnection with the managed identity
// of ManagedIdentityEnv, which the process must have in its environment.
func (s *Sandbox) GraphManagedIdentityConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph managed identity", from)
	c.Graph.Tenant, c.Graph.ClientID, c.Graph.ManagedIdentity = "", "", true
	return c
}

// managedIdentity answers GET /msi/token of the control.
func (e *entraServer) managedIdentity(w http.ResponseWriter, r *http.Request) {
	e.s.count("entra.managed")
	if _, answered := e.s.httpFault(w, r, "entra", "managed", "", e.writeError); answered {
		return
	}
	q := r.URL.Query()
	refuse := func(status int, text string) {
		writeJSON(w, status, map[string]any{"statusCode": status, "message": text})
	}
	resource, bad := e.scope(strings.TrimSuffix(q.Get("resource"), "/") + "/.default")
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-IDENTITY-HEADER")), []byte(managedIdentityHeader)) != 1:
		refuse(http.StatusUnauthorized, "The X-IDENTITY-HEADER is wrong.")
		return
	case q.Get("api-version") != "2019-08-01":
		refuse(http.StatusBadRequest, "The api-version is not known.")
		return
	case q.Get("client_id") != "" && q.Get("client_id") != ClientID:
		refuse(http.StatusBadRequest, "No managed identity has this client id.")
		return
	case bad != nil:
		e.fail(w, r, *bad)
		return
	}
	sw := e.s.switches()
	token, err := e.issue(TenantID, ClientID, resource, sw)
	if err != nil {
		refuse(http.StatusInternalServerError, "The token cannot be signed.")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": token, "expires_on": strconv.FormatInt(e.s.now().Add(sw.TokenLifetime).Unix(), 10),
		"resource": resource, "token_type": "Bearer", "client_id": ClientID,
	})
}
