package entra

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// maxForm bounds a token request; assertions are a few KB.
const maxForm = 64 << 10

// token is the token endpoint for client credentials (contracts A1, A3).
func (e *Server) token(w http.ResponseWriter, r *http.Request) {
	e.core.Count("entra.token")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	formErr := r.ParseForm()
	if _, answered := e.core.HTTPFault(w, r, "entra", "token", r.PathValue("tenant"), e.writeError); answered {
		return
	}
	if formErr != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		e.fail(w, r, aadError{900144, "The request body must be application/x-www-form-urlencoded and contain the following parameter: " +
			"'grant_type'."})
		return
	}
	tenant, bad := e.tenant(r.PathValue("tenant"))
	if bad == nil {
		bad = e.grant(r, tenant)
	}
	var resource string
	if bad == nil {
		resource, bad = e.scope(r.PostForm.Get("scope"), e.core.Base(r, e.url))
	}
	if bad != nil {
		e.fail(w, r, *bad)
		return
	}
	sw := e.core.Switches()
	token, err := e.issue(tenant, e.clientID(r), resource, sw)
	if err != nil {
		e.writeError(w, r, http.StatusInternalServerError, "server_error", "The token cannot be signed.")
		return
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	core.WriteJSON(w, http.StatusOK, map[string]any{ // A3.1
		"token_type": "Bearer", "expires_in": seconds(sw.TokenLifetime), "ext_expires_in": seconds(sw.TokenLifetime), "access_token": token,
	})
}

// clientID is the application's id, of the body or of Basic (A1.2).
func (e *Server) clientID(r *http.Request) string {
	if id, _, ok := basicCredential(r); ok {
		return strings.ToLower(id)
	}
	return strings.ToLower(r.PostForm.Get("client_id"))
}

// basicCredential reads HTTP Basic with form-encoded parts (RFC 6749 section 2.3.1).
func basicCredential(r *http.Request) (id, secret string, ok bool) {
	user, pass, ok := r.BasicAuth()
	if !ok {
		return "", "", false
	}
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(pass)
	return id, secret, err1 == nil && err2 == nil
}

// grant checks grant type, application and credential.
func (e *Server) grant(r *http.Request, tenant string) *aadError {
	form := r.PostForm
	_, basicSecret, basic := basicCredential(r)
	for _, p := range []string{"grant_type", "client_id", "scope"} {
		if form.Get(p) == "" && (p != "client_id" || !basic) {
			return &aadError{900144, "The request body must contain the following parameter: '" + p + "'."}
		}
		if len(form[p]) > 1 {
			return &aadError{900144, "The request body contains the parameter '" + p + "' more than once."}
		}
	}
	if g := form.Get("grant_type"); g != "client_credentials" {
		return &aadError{70003, "The app requested an unsupported grant type '" + g + "'."}
	}
	id := e.clientID(r)
	app, ok := e.apps[id]
	if !ok || tenant != TenantID {
		return &aadError{700016, "Application with identifier '" + id + "' was not found in the directory '" + tenant +
			"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the " +
			"tenant. You may have sent your authentication request to the wrong tenant."}
	}
	if app.disabled {
		return &aadError{7000112, "Application '" + id + "' is disabled."}
	}
	secret := form.Get("client_secret")
	if basic {
		secret = basicSecret
	}
	assertion := form.Get("client_assertion")
	switch {
	case secret != "":
		return checkSecret(secret, id)
	case assertion == "":
		return &aadError{7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer": // A1.3
		return &aadError{900144, "The request body must contain the following parameter: 'client_assertion_type'."}
	}
	return e.checkAssertion(assertion, id, tenant, r.PathValue("tenant"))
}

func checkSecret(secret, id string) *aadError {
	switch {
	case subtle.ConstantTimeCompare([]byte(secret), []byte(ClientSecret)) == 1:
		return nil
	case secret == ExpiredSecret:
		return &aadError{7000222, "The provided client secret keys for app '" + id +
			"' are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security."}
	}
	return &aadError{7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not " +
		"the client secret ID, for a secret added to app '" + id + "'."}
}

// openIDScopes are sent by MSAL along with the resource (A1.7).
var openIDScopes = []string{"openid", "offline_access", "profile", "email"}

// scope finds the one resource of a scope string (A1.5, A1.6); authority is the root that
// the client asks.
func (e *Server) scope(scope, authority string) (resource string, bad *aadError) {
	invalid := func(why string) *aadError {
		return &aadError{70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter " +
			"'scope' is not valid. " + why}
	}
	var resources, names []string
	for _, v := range strings.Fields(scope) {
		if slices.Contains(openIDScopes, v) {
			continue
		}
		res, name := GraphResource, v // a bare name is one of Graph's
		if i := strings.LastIndexByte(v, '/'); i >= 0 {
			res, name = v[:i], v[i+1:]
		}
		if strings.ContainsAny(v, `"\<>`) || name == "" || strings.Trim(res, "/") == "" || strings.HasSuffix(strings.TrimRight(res, "/"), ":") {
			return "", invalid("The scope " + v + " is not valid.")
		}
		resources, names = append(resources, res), append(names, name)
	}
	slices.Sort(resources)
	switch distinct := slices.Compact(resources); {
	case len(distinct) == 0:
		return "", invalid("The scope " + scope + " is not valid.")
	case len(distinct) > 1:
		return "", &aadError{700022, "The provided value for the input parameter 'scope' is not valid because it contains more than one " +
			"resource. Scope " + scope + " is not valid."}
	case !slices.Contains(names, ".default"):
		return "", &aadError{1002012, "The provided value for scope " + scope +
			" is not valid. Client credential flows must have a scope value with /.default " +
			"suffixed to the resource identifier (application ID URI)."}
	case len(names) > 1:
		return "", invalid(".default scope can't be combined with resource-specific scopes.")
	default:
		resource = distinct[0]
	}
	switch resource {
	case GraphResource, "00000003-0000-0000-c000-000000000000":
		return GraphResource, nil
	case OutlookResource, "https://outlook.office.com", "00000002-0000-0ff1-ce00-000000000000":
		return OutlookResource, nil
	case e.graphURL:
		return GraphResource, nil
	}
	if slices.Contains(graphsOf(authority), resource) {
		return GraphResource, nil
	}
	return "", &aadError{500011, "The resource principal named " + resource + " was not found in the tenant named " + TenantDomain +
		". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the " +
		"tenant. You might have sent your authentication request to the wrong tenant."}
}

// graphsOf are the Graphs of a national cloud; no other one has its resources (A4).
func graphsOf(authority string) []string {
	switch authority {
	case "https://login.microsoftonline.us":
		return []string{"https://graph.microsoft.us", "https://dod-graph.microsoft.us"}
	case "https://login.chinacloudapi.cn", "https://login.partner.microsoftonline.cn":
		return []string{"https://microsoftgraph.chinacloudapi.cn"}
	}
	return nil
}
