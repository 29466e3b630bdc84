package tokens

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
)

var update = flag.Bool("update", false, "write the golden files again")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test -update and read the change\n%s", path, got)
	}
}

func describe(e *adapters.Error) string {
	return fmt.Sprintf("%s %s %s\n  en: %s: %s\n  it: %s: %s\n", e.ProviderCode, e.Code, e.Class,
		e.Message.String(), e.Hint.String(), e.Message.In("it"),
		e.Hint.In("it"))
}

func complete(t *testing.T, e *adapters.Error) {
	t.Helper()
	if e.Class == "" || e.Code == "" || e.Message.String() == "" || e.Message.In("it") == "" || e.Hint.String() == "" ||
		e.Hint.In("it") == "" ||
		e.Provider == "" || e.Scope != adapters.ScopeConnection {
		t.Errorf("incomplete: %+v", e)
	}
}

// Every number of contracts A5, as the real service answers, gets its class,
// sentence and hint.
func TestEntraRefusals(t *testing.T) {
	t.Parallel()
	numbers := []int{7000215, 7000222, 7000218, 700025, 700016, 700011, 70001, 7000112, 70002, 90002, 900023, 90038, 900382, 900432,
		700027, 700030, 50012, 50013, 500133, 700021, 700023, 700024, 50048, 70021, 700211, 700212, 700213, 7002131, 500011, 70011, 1002012,
		700022, 900144, 65001, 650052, 650056, 50126, 53003, 530035, 50196, 90055, 50033, 90006, 90012, 90024, 90033, 90090}
	var out strings.Builder
	for _, n := range numbers {
		if !entraNumber(n).found() {
			t.Errorf("no row for %d", n)
		}
		body := fmt.Sprintf(`{"error":"whatever","error_description":"AADSTS%d: SECRET TEXT of the answer. Trace ID: x","error_codes":[%d],`+
			`"trace_id":"0f-1"}`, n, n)
		e := askEntra(t, answerJSON(400, body))
		complete(t, e)
		if strings.Contains(e.Error(), "SECRET TEXT") || e.ProviderCode != fmt.Sprintf("AADSTS%d", n) ||
			e.RequestID != "0f-1" || e.Status != 400 {
			t.Errorf("%+v", e)
		}
		out.WriteString(describe(e))
	}
	golden(t, "entra.golden", out.String())
}

func askEntra(t *testing.T, respond func(http.ResponseWriter, *http.Request) bool) *adapters.Error {
	t.Helper()
	f := newFakeIssuer(t)
	f.set(3599, respond)
	c, _ := newTestCache(t, f, Options{})
	_, err := sourceOf(t, c, f.graph(), adapters.AudienceGraph).Token(context.Background())
	return adapters.AsError(err)
}

func TestGoogleRefusals(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, c := range []struct {
		status int
		body   string
	}{
		{401, `{"error":"unauthorized_client","error_description":"Client is unauthorized to retrieve access tokens using this method, or ` +
			`client not authorized for any of the scopes requested."}`},
		{400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`},
		{400, `{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable ` +
			`timeframe. Check your iat and exp values in the JWT claim."}`},
		{400, `{"error":"invalid_grant","error_description":"Invalid email or User ID"}`},
		{400, `{"error":"invalid_grant","error_description":"Invalid grant: account not found"}`},
		{400, `{"error":"invalid_grant"}`},
		{403, `{"error":"access_denied","error_description":"Requested client not authorized."}`},
		{400, `{"error":"invalid_scope","error_description":"x"}`},
		{400, `{"error":"admin_policy_enforced"}`},
		{400, `{"error":"org_internal"}`},
		{401, `{"error":"deleted_client"}`},
		{401, `{"error":"disabled_client"}`},
		{429, `{"error":"rate_limit_exceeded"}`},
		{500, `{"error":"internal_failure"}`},
		{503, `{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}`},
		{400, `{"error":"something_new","error_description":"<b>x</b>"}`},
	} {
		f := newFakeIssuer(t)
		f.set(3599, answerJSON(c.status, c.body))
		cache, _ := newTestCache(t, f, Options{})
		_, err := sourceOf(t, cache, f.gmail(t), adapters.AudienceGmailSend).Token(context.Background())
		e := adapters.AsError(err)
		complete(t, e)
		out.WriteString(fmt.Sprintf("%d %s\n", c.status, c.body) + describe(e))
	}
	golden(t, "google.golden", out.String())
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		typ    string
		body   string
		header string
		code   string
		class  adapters.Class
	}{
		"captive portal":     {200, "text/html", "<html>log in</html>", "", "web_page", adapters.Transient},
		"firewall page":      {403, "text/html", "<html>blocked</html>", "", "web_page", adapters.Transient},
		"empty 200":          {200, "", "", "", "empty_answer", adapters.Transient},
		"empty 400":          {400, "", "", "", "empty_answer", adapters.Transient},
		"garbage":            {200, "application/json", "\x00\x01\x02", "", "garbage", adapters.Transient},
		"JSON of other kind": {200, "application/json", `[1,2,3]`, "", "garbage", adapters.Transient},
		"no token in it":     {200, "application/json", `{"token_type":"Bearer","expires_in":3599}`, "", "garbage", adapters.Transient},
		"token with newline": {200, "application/json", `{"token_type":"Bearer","expires_in":3599,"access_token":"a\r\nX-Evil: 1"}`, "",
			"garbage", adapters.Transient},
		"dead on arrival": {200, "application/json", `{"token_type":"Bearer","expires_in":-5,"access_token":"a"}`, "",
			"garbage", adapters.Transient},
		"502":            {502, "", "Bad Gateway", "", "provider_fault", adapters.Transient},
		"429":            {429, "", "", "33", "throttled", adapters.Throttled},
		"redirect":       {307, "", "", "", "redirect", adapters.Transient},
		"407":            {407, "", "", "", "proxy_auth", adapters.Transient},
		"unknown number": {400, "application/json", `{"error":"invalid_request","error_codes":[123456]}`, "", "AADSTS123456", adapters.Auth},
		"only a description": {400, "application/json",
			`{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired."}`, "", "AADSTS7000222",
			adapters.Auth},
		"server_error":   {400, "application/json", `{"error":"server_error"}`, "", "server_error", adapters.Transient},
		"invalid_client": {401, "application/json", `{"error":"invalid_client"}`, "", "invalid_client", adapters.Auth},
		"code is a page": {400, "application/json", `{"error":"<script>alert(1)</script>"}`, "", "garbage", adapters.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := askEntra(t, func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", c.typ)
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				if c.status == 307 {
					w.Header().Set("Location", "https://evil.example/")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			})
			complete(t, e)
			if e.ShownCode() != c.code || e.Class != c.class {
				t.Errorf("%s", describe(e))
			}
			if c.header != "" && e.RetryAfter != 33*time.Second {
				t.Errorf("RetryAfter %v", e.RetryAfter)
			}
		})
	}
}

func TestClockIsNamedWithItsMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		theirs time.Duration
		want   string
	}{
		{time.Hour, "60 minutes behind"}, {-63 * time.Minute, "63 minutes ahead of"}, {30 * time.Second, "outside its time range"},
	} {
		e := askEntra(t, func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Date", time.Now().Add(c.theirs).UTC().Format(http.TimeFormat))
			return answerJSON(401, `{"error":"invalid_client","error_codes":[700024]}`)(w, r)
		})
		if !strings.Contains(e.Message.String(), c.want) || e.Class != adapters.Auth {
			t.Errorf("%v: %s", c.theirs, describe(e))
		}
	}
	f := newFakeIssuer(t)
	f.set(3599, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Date", time.Now().Add(90*time.Minute).UTC().Format(http.TimeFormat))
		return answerJSON(400, `{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token"}`)(w, r)
	})
	cache, _ := newTestCache(t, f, Options{})
	_, err := sourceOf(t, cache, f.gmail(t), adapters.AudienceGmailSend).Token(context.Background())
	if e := adapters.AsError(err); !strings.Contains(e.Message.In("it"), "90 minuti indietro") {
		t.Errorf("%s", describe(e))
	}
}

func TestRefusedCertificateShowsItsThumbprintAndEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		end  time.Time
		want string
	}{
		{time.Now().AddDate(1, 0, 0), "the thumbprint must be "}, {time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), "expired on 2025-03-01"},
	} {
		leaf := selfSigned(t, testKey(), c.end)
		f := newFakeIssuer(t)
		f.set(3599, answerJSON(401, `{"error":"invalid_client","error_codes":[700027]}`))
		cache, _ := newTestCache(t, f, Options{})
		conn := f.graph()
		graph.SettingsOf(conn).ClientSecret, graph.SettingsOf(conn).CertificateFile = "", writeFile(t, pemOf(t, leaf, testKey()))
		_, err := sourceOf(t, cache, conn, adapters.AudienceGraph).Token(context.Background())
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), thumbprint(leaf)) {
			t.Errorf("%v", err)
		}
	}
}

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "https://" + closed.Addr().String()
	_ = closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	expired := httptest.NewUnstartedServer(http.NotFoundHandler())
	old := selfSigned(t, testKey(), time.Now().AddDate(0, -1, 0))
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{old.Raw}, PrivateKey: testKey()}}}
	expired.Config.ErrorLog = quietLog()
	expired.StartTLS()
	t.Cleanup(expired.Close)
	pool := x509.NewCertPool()
	pool.AddCert(old)
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quietLog()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	for code, c := range map[string]struct {
		url    string
		client *http.Client
	}{
		"connection_refused": {refused, nil},
		"dns_not_found":      {"https://no-such-host.invalid", noDNS()},
		"tls_not_spoken":     {strings.Replace(plain.URL, "http:", "https:", 1), nil},
		"tls_expired":        {expired.URL, trusting},
		"tls_untrusted":      {untrusted.URL, nil},
	} {
		for _, provider := range []adapters.Provider{adapters.Graph, adapters.Gmail} {
			t.Run(code+" "+string(provider), func(t *testing.T) {
				t.Parallel()
				cache := NewCache(Options{HTTPClient: c.client})
				t.Cleanup(func() { _ = cache.Close() })
				f := &fakeIssuer{Server: &httptest.Server{URL: c.url}}
				conn, a := f.graph(), adapters.AudienceGraph
				if provider == adapters.Gmail {
					conn, a = f.gmail(t), adapters.AudienceGmailSend
				}
				_, err := sourceOf(t, cache, conn, a).Token(context.Background())
				e := adapters.AsError(err)
				complete(t, e)
				if e.Class != adapters.Transient || string(e.Code) != code {
					t.Errorf("%s(%v)", describe(e), e.Err)
				}
			})
		}
	}
}

// noDNS is a client with a resolver that knows no name, without asking any server.
func noDNS() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: host, IsNotFound: true}}
	}}}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"error":"invalid_client","error_description":"AADSTS7000215: x","error_codes":[7000215],"trace_id":"a"}`), 401)
	f.Add([]byte(`{"error":{"code":503,"status":"UNAVAILABLE"}}`), 503)
	f.Add([]byte(`{"error":1,"error_codes":"x"}`), 400)
	f.Add([]byte("<html>"), 200)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		for _, issuer := range []string{"entra", "google"} {
			x := &exchange{requests: 1, status: status, body: body, header: http.Header{}, now: time.Now, at: time.Now(), host: "h.example"}
			e := x.failure(want{provider: adapters.Graph, key: key{issuer: issuer}})
			if e.Class == "" || e.Class == adapters.Accepted || e.Message.In("it") == "" || e.Hint.String() == "" || e.Code == "" {
				t.Errorf("%+v", e)
			}
			if strings.ContainsAny(e.Error(), "<\r\n\x00") || word(string(e.Code)) != string(e.Code) || word(e.ProviderCode) != e.ProviderCode {
				t.Errorf("foreign bytes show: %q", e.Error())
			}
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"), "")
	f.Add([]byte{0x30, 0x82, 1, 2}, "x")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		certs, key, err := parseCertificate(data, password)
		if err == nil && (len(certs) == 0 || key == nil) {
			t.Error("neither result nor error")
		}
	})
}

func FuzzServiceAccount(f *testing.F) {
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","private_key":"x","token_uri":"https://oauth2.googleapis.com/token"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if conf, err := googleConfig(data, "", "s"); err == nil && !googleTokenURL(conf.TokenURL) {
			t.Errorf("token_uri %q passed", conf.TokenURL)
		}
	})
}
