package entra

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// ManagedIdentityHeader is the proof that a process runs on the fake host.
const ManagedIdentityHeader = "sandbox-managed-identity"

// ManagedIdentity answers GET /msi/token of the control.
func (e *Server) ManagedIdentity(w http.ResponseWriter, r *http.Request) {
	e.core.Count("entra.managed")
	if _, answered := e.core.HTTPFault(w, r, "entra", "managed", "", e.writeError); answered {
		return
	}
	q := r.URL.Query()
	refuse := func(status int, text string) {
		core.WriteJSON(w, status, map[string]any{"statusCode": status, "message": text})
	}
	resource, bad := e.scope(strings.TrimSuffix(q.Get("resource"), "/")+"/.default", e.url)
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-IDENTITY-HEADER")), []byte(ManagedIdentityHeader)) != 1:
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
	sw := e.core.Switches()
	token, err := e.issue(TenantID, ClientID, resource, sw)
	if err != nil {
		refuse(http.StatusInternalServerError, "The token cannot be signed.")
		return
	}
	core.WriteJSON(w, http.StatusOK, map[string]any{
		"access_token": token, "expires_on": strconv.FormatInt(e.core.Now().Add(sw.TokenLifetime).Unix(), 10),
		"resource": resource, "token_type": "Bearer", "client_id": ClientID,
	})
}
