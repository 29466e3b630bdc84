package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox/entra"
)

// The real client library gets tokens with each credential (A6).
func TestAzidentity(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	from := "erp@contoso.example"
	opt := azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.entra.URL(), Services: map[cloud.ServiceName]cloud.ServiceConfiguration{}},
		Transport: s.HTTPClient(),
	}
	secret, err := azidentity.NewClientSecretCredential(TenantID, ClientID, ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: opt, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(graph.SettingsOf(s.GraphCertificateConnection(from)).CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	certs, key, err := azidentity.ParseCertificates(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := azidentity.NewClientCertificateCredential(TenantDomain, ClientID, certs, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: opt, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	federated, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: opt, DisableInstanceDiscovery: true, TenantID: TenantID, ClientID: ClientID,
		TokenFilePath: graph.SettingsOf(s.GraphFederatedConnection(from)).FederatedTokenFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, cred := range map[string]azcore.TokenCredential{"secret": secret, "certificate": certificate, "federated": federated} {
		t.Run(name, func(t *testing.T) {
			tk, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{GraphResource + "/.default"},
				EnableCAE: true})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.entra.Verify(tk.Token)
			if err != nil || got.Audience != GraphResource || !got.HasRole("Mail.Send") {
				t.Errorf("token %+v, %v", got, err)
			}
			if len(tk.Token) < 1300 {
				t.Errorf("the token has %d characters: D1.3", len(tk.Token))
			}
		})
	}
	if n := s.Counters()["entra.token"]; n != 3 {
		t.Errorf("%d token requests", n)
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	good := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {ClientSecret},
		"scope": {"https://graph.microsoft.com/.default openid offline_access profile"}, "client_info": {"1"},
	}
	for name, tt := range map[string]struct {
		tenant string
		change url.Values
		status int
		code   float64
		oauth  string
	}{
		"good":           {status: 200},
		"domain":         {tenant: TenantDomain, status: 200},
		"unknown tenant": {tenant: "6f0d3c3a-0000-0000-0000-000000000000", status: 400, code: 90002, oauth: "invalid_request"},
		"unknown domain": {tenant: "other.example", status: 400, code: 90002, oauth: "invalid_request"},
		"no tenant id":   {tenant: "contoso", status: 400, code: 900023, oauth: "invalid_request"},
		"common":         {tenant: "common", status: 400, code: 50059, oauth: "invalid_request"},
		"other tenant":   {tenant: OtherTenantID, status: 400, code: 700016, oauth: "unauthorized_client"},
		"no grant type":  {change: url.Values{"grant_type": nil}, status: 400, code: 900144, oauth: "invalid_request"},
		"password grant": {change: url.Values{"grant_type": {"password"}}, status: 400, code: 70003, oauth: "unsupported_grant_type"},
		"no client":      {change: url.Values{"client_id": nil}, status: 400, code: 900144, oauth: "invalid_request"},
		"unknown client": {change: url.Values{"client_id": {uuid.NewString()}}, status: 400, code: 700016, oauth: "unauthorized_client"},
		"disabled":       {change: url.Values{"client_id": {DisabledClientID}}, status: 400, code: 7000112, oauth: "unauthorized_client"},
		"unconsented":    {change: url.Values{"client_id": {UnconsentedClientID}}, status: 200},
		"wrong secret":   {change: url.Values{"client_secret": {"x"}}, status: 401, code: 7000215, oauth: "invalid_client"},
		"expired secret": {change: url.Values{"client_secret": {ExpiredSecret}}, status: 401, code: 7000222, oauth: "invalid_client"},
		"no credential":  {change: url.Values{"client_secret": nil}, status: 401, code: 7000218, oauth: "invalid_client"},
		"no assertion type": {change: url.Values{"client_secret": nil, "client_assertion": {"x"}}, status: 400, code: 900144,
			oauth: "invalid_request"},
		"no scope":        {change: url.Values{"scope": nil}, status: 400, code: 900144, oauth: "invalid_request"},
		"only openid":     {change: url.Values{"scope": {"openid profile"}}, status: 400, code: 70011, oauth: "invalid_scope"},
		"malformed scope": {change: url.Values{"scope": {"https:///.default"}}, status: 400, code: 70011, oauth: "invalid_scope"},
		"two resources": {change: url.Values{"scope": {GraphResource + "/.default " + OutlookResource + "/.default"}}, status: 400,
			code: 700022, oauth: "invalid_request"},
		"no default": {change: url.Values{"scope": {GraphResource + "/Mail.Send"}}, status: 400, code: 1002012, oauth: "invalid_scope"},
		"bare scope": {change: url.Values{"scope": {"Mail.Send"}}, status: 400, code: 1002012, oauth: "invalid_scope"},
		"default and scope": {change: url.Values{"scope": {GraphResource + "/.default " + GraphResource + "/Mail.Send"}}, status: 400,
			code: 70011, oauth: "invalid_scope"},
		"other cloud": {change: url.Values{"scope": {"https://graph.microsoft.us/.default"}}, status: 400, code: 500011,
			oauth: "invalid_resource"},
		"outlook":            {change: url.Values{"scope": {OutlookResource + "/.default"}}, status: 200},
		"twice":              {change: url.Values{"scope": {"a", "b"}}, status: 400, code: 900144, oauth: "invalid_request"},
		"secret in the form": {change: url.Values{"client_secret": {ClientSecret + " "}}, status: 401, code: 7000215, oauth: "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := url.Values{}
			for k, v := range good {
				form[k] = v
			}
			for k, v := range tt.change {
				form[k] = v
			}
			tenant := tt.tenant
			if tenant == "" {
				tenant = TenantID
			}
			status, doc := tokenRequest(t, s, tenant, form)
			checkAAD(t, status, doc, tt.status, tt.code, tt.oauth)
		})
	}
}

func checkAAD(t *testing.T, status int, doc map[string]any, wantStatus int, wantCode float64, wantName string) {
	t.Helper()
	if status != wantStatus {
		t.Fatalf("status %d, want %d: %v", status, wantStatus, doc)
	}
	if wantCode == 0 {
		if doc["token_type"] != "Bearer" || doc["expires_in"] != 3599.0 || doc["access_token"] == "" || doc["refresh_token"] != nil {
			t.Errorf("answer %v", doc)
		}
		return
	}
	codes, _ := doc["error_codes"].([]any)
	if len(codes) != 1 || codes[0] != wantCode || doc["error"] != wantName {
		t.Errorf("error %v %v, want %v %v", doc["error"], codes, wantName, wantCode)
	}
	text, _ := doc["error_description"].(string)
	if !strings.HasPrefix(text, "AADSTS") || !strings.Contains(text, " Trace ID: ") || !strings.Contains(text, " Timestamp: ") {
		t.Errorf("description %q", text)
	}
	for _, f := range []string{"timestamp", "trace_id", "correlation_id"} {
		if doc[f] == "" || doc[f] == nil {
			t.Errorf("%s is missing", f)
		}
	}
}

func TestBasicCredential(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {GraphResource + "/.default"}}
	req, err := http.NewRequest("POST", s.entra.TokenURL(TenantID), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(ClientID), url.QueryEscape(ClientSecret))
	res, err := s.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if doc := decodeBody(t, res); res.StatusCode != 200 {
		t.Errorf("%d %v", res.StatusCode, doc)
	}
}

func TestAssertions(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := start(t, Options{AnyMailbox: true, Now: clk.now})
	data, err := os.ReadFile(graph.SettingsOf(s.GraphCertificateConnection("erp@contoso.example")).CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	certs, key, err := azidentity.ParseCertificates(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	der := certs[0].Raw
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := s.entra.FederatedKey()
	if err != nil {
		t.Fatal(err)
	}
	sum, sum1 := sha256.Sum256(der), sha1.Sum(der)
	now := clk.now()
	aud := s.entra.TokenURL(TenantID)
	claims := func(change jwt.MapClaims) jwt.MapClaims {
		c := jwt.MapClaims{"aud": aud, "iss": ClientID, "sub": ClientID, "jti": "x", "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
		for k, v := range change {
			c[k] = v
		}
		return c
	}
	outside := func(change jwt.MapClaims) jwt.MapClaims {
		c := claims(jwt.MapClaims{"iss": FederatedIssuer, "sub": FederatedSubject, "aud": FederatedAudience})
		for k, v := range change {
			c[k] = v
		}
		return c
	}
	std, raw := base64.StdEncoding.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(sum[:])
	for name, tt := range map[string]struct {
		method jwt.SigningMethod
		key    any
		header map[string]any
		claims jwt.MapClaims
		code   float64 // 0: good
		oauth  string
		status int
	}{
		"standard alphabet": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": std}, claims(nil), 0, "", 200},
		"url alphabet":      {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw}, claims(nil), 0, "", 200},
		"legacy": {jwt.SigningMethodRS256, key, map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(sum1[:])}, claims(nil), 0,
			"", 200},
		"audience domain": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw},
			claims(jwt.MapClaims{"aud": s.entra.TokenURL("Contoso.example")}), 700023, "invalid_client", 401},
		"other certificate": {jwt.SigningMethodPS256, strange,
			map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}, claims(nil), 700027, "invalid_client", 401},
		"wrong key":       {jwt.SigningMethodPS256, strange, map[string]any{"x5t#S256": raw}, claims(nil), 700027, "invalid_client", 401},
		"no thumbprint":   {jwt.SigningMethodPS256, key, nil, claims(nil), 700027, "invalid_client", 401},
		"wrong algorithm": {jwt.SigningMethodRS512, key, map[string]any{"x5t#S256": raw}, claims(nil), 700027, "invalid_client", 401},
		"hmac":            {jwt.SigningMethodHS256, der, map[string]any{"x5t#S256": raw}, claims(nil), 700027, "invalid_client", 401},
		"sub differs": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw}, claims(jwt.MapClaims{"sub": "x"}), 50048,
			"invalid_client", 401},
		"other client": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw}, claims(jwt.MapClaims{"sub": "x", "iss": "x"}),
			700021, "invalid_client", 401},
		"audience": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw},
			claims(jwt.MapClaims{"aud": "https://login.microsoftonline.com"}), 700023, "invalid_client", 401},
		"expired": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw},
			claims(jwt.MapClaims{"exp": now.Add(-6 * time.Minute).Unix()}), 700024, "invalid_client", 401},
		"skew is forgiven": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw},
			claims(jwt.MapClaims{"nbf": now.Add(4 * time.Minute).Unix()}), 0, "", 200},
		"not yet": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw},
			claims(jwt.MapClaims{"nbf": now.Add(6 * time.Minute).Unix()}), 700024, "invalid_client", 401},
		"no expiry": {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": raw}, claims(jwt.MapClaims{"exp": nil}), 700024,
			"invalid_client", 401},
		"federated":     {jwt.SigningMethodRS256, issuer, nil, outside(nil), 0, "", 200},
		"fed. issuer":   {jwt.SigningMethodRS256, issuer, nil, outside(jwt.MapClaims{"iss": "https://x"}), 700211, "invalid_client", 401},
		"fed. subject":  {jwt.SigningMethodRS256, issuer, nil, outside(jwt.MapClaims{"sub": "x"}), 700213, "invalid_client", 401},
		"fed. audience": {jwt.SigningMethodRS256, issuer, nil, outside(jwt.MapClaims{"aud": "x"}), 700212, "invalid_client", 401},
		"fed. key":      {jwt.SigningMethodRS256, strange, nil, outside(nil), 50013, "invalid_grant", 400},
		"fed. expired": {jwt.SigningMethodRS256, issuer, nil, outside(jwt.MapClaims{"exp": now.Add(-time.Hour).Unix()}), 700024,
			"invalid_client", 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tk := jwt.NewWithClaims(tt.method, tt.claims)
			for k, v := range tt.header {
				tk.Header[k] = v
			}
			signed, err := tk.SignedString(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			status, doc := assert(t, s, signed)
			checkAAD(t, status, doc, tt.status, tt.code, tt.oauth)
		})
	}
	t.Run("garbage", func(t *testing.T) {
		t.Parallel()
		status, doc := assert(t, s, "a.b.c")
		checkAAD(t, status, doc, 401, 50027, "invalid_client")
	})
	t.Run("federated file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "token")
		if err := s.WriteFederatedToken(file, FederatedSubject, -time.Hour); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		status, doc := assert(t, s, string(data))
		checkAAD(t, status, doc, 401, 700024, "invalid_client")
	})
}

func assert(t *testing.T, s *Sandbox, assertion string) (int, map[string]any) {
	t.Helper()
	return tokenRequest(t, s, TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {ClientID}, "scope": {GraphResource + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	})
}

func TestTokenFollowsSwitchesAndClock(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := start(t, Options{AnyMailbox: true, Now: now.now})
	check := func(want ...string) {
		t.Helper()
		got, err := s.entra.Verify(token(t, s, GraphResource))
		if err != nil || strings.Join(got.Roles, " ") != strings.Join(want, " ") {
			t.Errorf("roles %v, %v; want %v", got.Roles, err, want)
		}
	}
	check("Mail.ReadWrite", "Mail.Send")
	s.Configure(func(sw *Switches) { sw.GraphMailRead = false })
	check("Mail.Send")
	s.Configure(func(sw *Switches) { sw.GraphRoles = false })
	check()
	s.Configure(func(sw *Switches) { sw.TokenLifetime = 4 * time.Minute }) // A6.8
	tk := token(t, s, GraphResource)
	now.advance(4*time.Minute - 2*time.Second)
	if _, err := s.entra.Verify(tk); err != nil {
		t.Error(err)
	}
	now.advance(2 * time.Second)
	if _, err := s.entra.Verify(tk); !errors.Is(err, entra.ErrTokenExpired) {
		t.Errorf("%v", err)
	}
	if _, err := s.entra.Verify(tk[:len(tk)-2] + "xx"); !errors.Is(err, entra.ErrTokenInvalid) {
		t.Errorf("%v", err)
	}
}

func TestEntraFaults(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {ClientSecret},
		"scope": {GraphResource + "/.default"}}
	s.Inject(Fault{Service: "entra", Op: "token", Match: TenantID, Times: 1, Status: 429, Code: "AADSTS90055",
		RetryAfter: 1500 * time.Millisecond})
	res, err := s.HTTPClient().PostForm(s.entra.TokenURL(TenantID), form)
	if err != nil {
		t.Fatal(err)
	}
	if doc := decodeBody(t, res); res.StatusCode != 429 || res.Header.Get("Retry-After") != "2" || doc["error"] != "temporarily_unavailable" {
		t.Errorf("%d %v", res.StatusCode, doc)
	}
	s.Inject(Fault{Service: "entra", Times: 1, Reset: true})
	if res, err := s.HTTPClient().PostForm(s.entra.TokenURL(TenantID), form); err == nil {
		res.Body.Close()
		t.Errorf("answered %d in place of a reset", res.StatusCode)
	}
	if status, doc := tokenRequest(t, s, TenantID, form); status != 200 {
		t.Errorf("after the faults: %d %v", status, doc)
	}
}
