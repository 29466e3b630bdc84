// Package entra is a fake Microsoft Entra: discovery, the token endpoint for
// applications, and managed identities.
package entra

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// What the fake directory knows. Anything else is unknown to it.
const (
	TenantID      = "6f0d3c3a-5b1e-4e44-9d1c-2f6c1b7a9e10" // the directory of the sandbox's connections
	TenantDomain  = "contoso.example"                      // a verified domain of it, good in place of TenantID
	OtherTenantID = "0e7f5c21-90c4-4f0c-8a53-7d1f0c6a2b44" // exists, but has none of the applications: AADSTS700016

	ClientID            = "3c9d8a52-7f4e-4b0a-9e61-5a2d8f0c4b17" // allowed to send (and to read, see Switches)
	UnconsentedClientID = "b2a6e0d4-1c3f-4d58-8f7a-9e0b6c5d4a32" // gets tokens, may do nothing: A3.5
	DisabledClientID    = "d41f7c90-6e2b-4a85-b3c8-0f9e8d7c6b5a" // AADSTS7000112

	ClientSecret  = "sbx~kT3.fake-client-secret-value-9QmZ"  // of every application
	ExpiredSecret = "sbx~kT3.fake-expired-secret-value-1RtY" // AADSTS7000222

	FederatedIssuer   = "https://issuer.sandbox.example/"       // an external identity provider that every application trusts
	FederatedSubject  = "system:serviceaccount:postino:postino" // the one subject it is trusted for
	FederatedAudience = "api://AzureADTokenExchange"            // of its tokens
	GraphResource     = "https://graph.microsoft.com"           // the audience of tokens for Graph
	OutlookResource   = "https://outlook.office365.com"         // the audience of tokens for SMTP
)

// An application is an application registration with its service principal.
type application struct {
	consented bool // Mail.Send, SMTP.SendAsApp and, by switch, Mail.ReadWrite: as roles or by RBAC
	disabled  bool
}

// Server is the fake Entra: discovery and the token endpoint.
type Server struct {
	core *core.Core
	url  string                 // https://127.0.0.1:port
	apps map[string]application // by client id; in TenantID only
	key  []byte                 // signs access tokens

	started time.Time

	graphURL string // a resource too, for clients that take the resource from their Graph URL

	certificate, federation lazyKey

	mu       sync.RWMutex
	uploaded []*x509.Certificate // registered on every application besides certificate
	known    map[string]Token    // verified before; bounded
}

// New makes the server; Start begins to serve.
func New(c *core.Core) *Server {
	return &Server{core: c, apps: map[string]application{
		ClientID:            {consented: true},
		UnconsentedClientID: {},
		DisabledClientID:    {consented: true, disabled: true},
	}}
}

// Start listens on a free port.
func (e *Server) Start() error {
	e.started = e.core.Now()
	var err error
	if e.key, err = core.RandomBytes(32); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /common/discovery/instance", e.instance)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", e.discovery)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", e.token)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusNotFound) })
	e.url, err = e.core.ServeTLS("entra", mux, vendorHosts()...)
	return err
}

// vendorHosts are the authorities of the clouds (contracts A4).
func vendorHosts() []string {
	return []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net", "login.microsoftonline.us",
		"login.chinacloudapi.cn", "login.partner.microsoftonline.cn"}
}

// authorities are the roots under which clients may know this server.
func (e *Server) authorities() []string {
	out := []string{e.url}
	for _, h := range vendorHosts() {
		out = append(out, "https://"+h)
	}
	return out
}

// URL is the authority: scheme, host and port.
func (e *Server) URL() string { return e.url }

// SetGraphURL names a further resource of tokens: clients take it from the URL of
// the Graph that they are configured with. It comes before the first request.
func (e *Server) SetGraphURL(url string) { e.graphURL = url }

// instance answers MSAL's question whether the authority is one of Microsoft's
// (A6.3).
func (e *Server) instance(w http.ResponseWriter, r *http.Request) {
	e.core.Count("entra.instance")
	if _, answered := e.core.HTTPFault(w, r, "entra", "instance", "", e.writeError); answered {
		return
	}
	endpoint := r.URL.Query().Get("authorization_endpoint")
	i := slices.IndexFunc(e.authorities(), func(root string) bool { return strings.HasPrefix(endpoint, root+"/") })
	if i < 0 {
		e.fail(w, r, aadError{50049, "Unknown or invalid instance."})
		return
	}
	root := e.authorities()[i]
	host := strings.TrimPrefix(root, "https://")
	tenant, _, _ := strings.Cut(strings.TrimPrefix(endpoint, root+"/"), "/")
	core.WriteJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": root + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": host, "preferred_cache": host, "aliases": []string{host},
		}},
	})
}

// discovery is the OpenID configuration; its URLs name the tenant by id.
func (e *Server) discovery(w http.ResponseWriter, r *http.Request) {
	e.core.Count("entra.discovery")
	if _, answered := e.core.HTTPFault(w, r, "entra", "discovery", r.PathValue("tenant"), e.writeError); answered {
		return
	}
	id, bad := e.tenant(r.PathValue("tenant"))
	if bad != nil {
		e.fail(w, r, *bad)
		return
	}
	root := e.core.Base(r, e.url)
	core.WriteJSON(w, http.StatusOK, map[string]any{
		"token_endpoint":                        tokenURL(root, id),
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"authorization_endpoint":                root + "/" + id + "/oauth2/v2.0/authorize",
		"issuer":                                root + "/" + id + "/v2.0",
		"jwks_uri":                              root + "/" + id + "/discovery/v2.0/keys",
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   "microsoftonline.com",
		"msgraph_host":                          "graph.microsoft.com",
	})
}

// TokenURL is the token endpoint of a tenant.
func (e *Server) TokenURL(tenant string) string { return tokenURL(e.url, tenant) }

func tokenURL(root, tenant string) string { return root + "/" + tenant + "/oauth2/v2.0/token" }

var (
	guidPattern   = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	domainPattern = regexp.MustCompile(`^([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$`)
)

// tenant finds the directory id of what stands in the URL.
func (e *Server) tenant(name string) (string, *aadError) {
	switch lower := strings.ToLower(name); lower {
	case TenantID, TenantDomain:
		return TenantID, nil
	case OtherTenantID:
		return OtherTenantID, nil
	case "common", "organizations", "consumers": // A1.1
		return "", &aadError{50059, "No tenant-identifying information found in either the request or implied by any provided credentials."}
	}
	if !guidPattern.MatchString(name) && !domainPattern.MatchString(name) {
		return "", &aadError{900023, "Specified tenant identifier '" + name + "' is neither a valid DNS name, nor a valid external domain."}
	}
	return "", &aadError{90002, "Tenant '" + name + "' not found. Check to make sure you have the correct tenant ID and are signing into " +
		"the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."}
}

// An aadError is one of the AADSTS codes (contracts A5).
type aadError struct {
	code int
	text string
}

// aadNames pairs codes with the OAuth error that is usually seen with them
// (A5; the pairing is [U]).
var aadNames = map[string][]int{
	"invalid_client": {7000215, 7000222, 7000218, 700025, 70002, 700027, 700030, 50012, 700021, 700023, 700024, 50048, 70021, 700211,
		700212, 700213, 7002131, 50027},
	"unauthorized_client":     {700016, 700011, 70001, 7000112},
	"invalid_request":         {90002, 900023, 90038, 900382, 900432, 700022, 900144, 50059},
	"invalid_grant":           {50013, 500133, 65001, 650052, 650056, 50126, 50196},
	"invalid_resource":        {500011},
	"invalid_scope":           {70011, 1002012},
	"unsupported_grant_type":  {70003},
	"access_denied":           {53003, 530035},
	"temporarily_unavailable": {50033, 90006, 90012, 90024, 90033, 90090, 90055},
	"invalid_instance":        {50049},
}

func (a aadError) name() string {
	for name, codes := range aadNames {
		for _, c := range codes {
			if c == a.code {
				return name
			}
		}
	}
	return "invalid_request"
}

// fail answers with an AADSTS code in the shape of A3.2.
func (e *Server) fail(w http.ResponseWriter, r *http.Request, a aadError) {
	name := a.name()
	status := http.StatusBadRequest
	if name == "invalid_client" { // A3.3
		status = http.StatusUnauthorized
	}
	e.write(w, r, status, name, a)
}

// writeError is for faults: code is an AADSTS number, with or without the
// prefix, or an OAuth error.
func (e *Server) writeError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	n, err := strconv.Atoi(strings.TrimPrefix(code, "AADSTS"))
	a := aadError{n, message}
	name := code
	switch {
	case err == nil:
		name = a.name()
	case code == "" && status >= 500:
		name = "temporarily_unavailable"
	case code == "":
		name = "invalid_request"
	}
	if a.text == "" {
		a.text = "A fault that was asked for."
	}
	e.write(w, r, status, name, a)
}

func (e *Server) write(w http.ResponseWriter, r *http.Request, status int, name string, a aadError) {
	trace, correlation := uuid.NewString(), r.Header.Get("client-request-id")
	if correlation == "" {
		correlation = uuid.NewString()
	}
	stamp := e.core.Now().UTC().Format("2006-01-02 15:04:05Z")
	text := a.text
	codes := []int{}
	if a.code != 0 {
		text = "AADSTS" + strconv.Itoa(a.code) + ": " + a.text
		codes = append(codes, a.code)
	}
	body := map[string]any{
		"error":             name,
		"error_description": text + " Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: " + stamp,
		"error_codes":       codes,
		"timestamp":         stamp,
		"trace_id":          trace,
		"correlation_id":    correlation,
	}
	if a.code != 0 {
		body["error_uri"] = e.core.Base(r, e.url) + "/error?code=" + strconv.Itoa(a.code)
	}
	w.Header().Set("x-ms-request-id", trace)
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}

// seconds rounds down, as expires_in does.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
