package sandbox

import (
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// startProxy runs a sandbox with a proxy, and a client that knows the vendors' real
// addresses, the proxy and the CA, and nothing else.
func startProxy(t *testing.T, o Options) (*Sandbox, *http.Client) {
	t.Helper()
	o.ProxyAddr = "127.0.0.1:0"
	s := start(t, o)
	proxy, err := url.Parse(s.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}}
	t.Cleanup(tr.CloseIdleConnections)
	return s, &http.Client{Transport: tr}
}

func ask(t *testing.T, c *http.Client, method, address, bearer, contentType, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, decodeJSON(data)
}

// A program that knows only the vendors' addresses sends by HTTPS_PROXY and the CA alone,
// and every address in an answer is one of the vendors'.
func TestProxyStandsForTheVendors(t *testing.T) {
	t.Parallel()
	s, c := startProxy(t, Options{AnyMailbox: true})
	const login = "https://login.microsoftonline.com/"
	_, doc := ask(t, c, "GET", login+"common/discovery/instance?api-version=1.1&authorization_endpoint="+
		url.QueryEscape(login+TenantID+"/oauth2/v2.0/authorize"), "", "", "")
	if v := doc["tenant_discovery_endpoint"]; v != login+TenantID+"/v2.0/.well-known/openid-configuration" {
		t.Errorf("instance: %v", doc)
	}
	_, doc = ask(t, c, "GET", login+TenantID+"/v2.0/.well-known/openid-configuration", "", "", "")
	for _, name := range []string{"token_endpoint", "issuer", "authorization_endpoint", "jwks_uri"} {
		if v, _ := doc[name].(string); !strings.HasPrefix(v, login+TenantID+"/") {
			t.Errorf("%s: %v", name, v)
		}
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {ClientSecret},
		"scope": {GraphResource + "/.default"}}.Encode()
	_, doc = ask(t, c, "POST", doc["token_endpoint"].(string), "", "application/x-www-form-urlencoded", form)
	bearer, _ := doc["access_token"].(string)
	user := "https://graph.microsoft.com/v1.0/users/erp@contoso.example"
	if status, doc := ask(t, c, "POST", user+"/sendMail", bearer, "text/plain",
		base64.StdEncoding.EncodeToString([]byte("To: anna@example.com\r\nSubject: x\r\n\r\ny"))); status != http.StatusAccepted {
		t.Fatalf("sendMail: %d %v", status, doc)
	}
	_, doc = ask(t, c, "POST", user+"/messages", bearer, "application/json", `{"subject":"large"}`)
	_, doc = ask(t, c, "POST", user+"/messages/"+doc["id"].(string)+"/attachments/createUploadSession", bearer, "application/json",
		`{"AttachmentItem":{"attachmentType":"file","name":"a.bin","size":3145728}}`)
	upload, _ := doc["uploadUrl"].(string)
	if !strings.HasPrefix(upload, "https://outlook.office.com/") {
		t.Fatalf("uploads go to another host: %q", upload)
	}
	if status, doc := ask(t, c, "GET", upload, "", "", ""); status != http.StatusOK {
		t.Errorf("upload host: %d %v", status, doc)
	}
	account, err := s.google.ServiceAccountJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, aud := range []string{"https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token"} {
		_, doc = ask(t, c, "POST", aud, "", "application/x-www-form-urlencoded", googleForm(t, account, aud, false))
		bearer, _ = doc["access_token"].(string)
		status, doc := ask(t, c, "POST", "https://gmail.googleapis.com/gmail/v1/users/me/messages/send", bearer, "application/json",
			`{"raw":"`+base64.URLEncoding.EncodeToString([]byte("To: anna@example.com\r\n\r\ny"))+`"}`)
		if status != http.StatusOK {
			t.Errorf("Gmail: %d %v", status, doc)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST",
		"https://www.googleapis.com/upload/gmail/v1/users/me/messages/send?uploadType=resumable", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + bearer}, "X-Upload-Content-Type": {"message/rfc822"}}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if v := res.Header.Get("Location"); !strings.HasPrefix(v, "https://www.googleapis.com/upload/") {
		t.Errorf("resumable: %d %q", res.StatusCode, v)
	}
	if n := len(s.Deliveries()); n != 3 {
		t.Errorf("%d deliveries", n)
	}
}

// Nothing leaves the sandbox: a host that it does not stand for is refused, by CONNECT
// and without TLS.
func TestProxyRefusesOtherHosts(t *testing.T) {
	t.Parallel()
	s, c := startProxy(t, Options{AnyMailbox: true})
	for _, address := range []string{"https://example.com/", "https://graph.microsoft.com:8443/", "https://www.microsoft.com/"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if status, _ := ask(t, c, "GET", "http://example.com/", "", "", ""); status != http.StatusForbidden {
		t.Errorf("plain: %d", status)
	}
	if n := s.Counters()["proxy.refused"]; n != 4 {
		t.Errorf("%d refused", n)
	}
}

// Without TLS the proxy stands for Google's metadata server alone.
func TestProxyMetadata(t *testing.T) {
	t.Parallel()
	_, c := startProxy(t, Options{AnyMailbox: true})
	req, err := http.NewRequestWithContext(t.Context(), "GET",
		"http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/email", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Metadata-Flavor", "Google")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(body), "gserviceaccount.com") {
		t.Errorf("%s %v", body, err)
	}
}

// A fault that resets acts on the connection of the client, through the proxy too.
func TestProxyPassesResets(t *testing.T) {
	t.Parallel()
	s, c := startProxy(t, Options{AnyMailbox: true})
	s.Inject(Fault{Service: "entra", Op: "token", Reset: true, Times: 1})
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://login.microsoftonline.com/"+TenantID+"/oauth2/v2.0/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err == nil {
		_ = res.Body.Close()
		t.Error("the request was answered")
	}
}

// The vendors' submission hosts behave as the vendor, whatever the switches say.
func TestProxySMTP(t *testing.T) {
	t.Parallel()
	s, _ := startProxy(t, Options{AnyMailbox: true})
	for host, extension := range map[string]string{"smtp.office365.com:587": "DSN", "smtp.gmail.com:587": "SMTPUTF8"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.ProxyURL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "CONNECT "+host+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := newLineReader(conn)
		for _, want := range []string{"HTTP/1.1 200 ", "", "220 "} {
			if line := r.line(t); !strings.HasPrefix(line, want) {
				t.Fatalf("%s: %q, want %q", host, line, want)
			}
		}
		if _, err := io.WriteString(conn, "EHLO me\r\n"); err != nil {
			t.Fatal(err)
		}
		var said []string
		for {
			line := r.line(t)
			said = append(said, line)
			if strings.HasPrefix(line, "250 ") {
				break
			}
		}
		if text := strings.Join(said, "\n"); strings.Contains(text, "DSN") != (extension == "DSN") {
			t.Errorf("%s: %s", host, text)
		}
		_ = conn.Close()
	}
}

// Fixed ports are what they are said to be, and a port that is taken is an error that names the server.
func TestFixedPorts(t *testing.T) {
	t.Parallel()
	first := freeRange(t, 9)
	s := start(t, Options{AnyMailbox: true, FirstPort: first})
	want := func(name, address string, n int) {
		if u, err := url.Parse(address); err != nil || u.Port() != portText(first+n) {
			t.Errorf("%s: %s", name, address)
		}
	}
	want("control", s.ControlURL(), 0)
	want("entra", s.EntraURL(), 1)
	want("graph", s.GraphURL(), 2)
	want("upload", s.graph.UploadURL(), 3)
	want("google", s.GoogleTokenURL(), 4)
	want("gmail", s.GmailURL(), 5)
	if a, b, c := s.SMTPPorts(); a != first+6 || b != first+7 || c != first+8 {
		t.Errorf("smtp: %d %d %d", a, b, c)
	}
	if _, err := Start(Options{FirstPort: first, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "port of entra") {
		t.Errorf("taken: %v", err)
	}
}
