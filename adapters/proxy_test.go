package adapters

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// NO_PROXY is read as curl reads it, and metadata services are never asked
// through a proxy.
func TestProxies(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://user:pa55@proxy.example:3128")
	t.Setenv("HTTP_PROXY", "http://proxy.example:3128")
	t.Setenv("NO_PROXY", ".contoso.it, fabrikam.example. *.wild.example 10.0.0.0/8,one.example:8443")
	p := NewProxies()
	for url, direct := range map[string]bool{
		"https://graph.microsoft.com/": false, "https://contoso.it/": true, "https://a.b.contoso.it/": true, "https://notcontoso.it/": false,
		"https://fabrikam.example/": true, "https://x.wild.example/": true, "https://10.1.2.3/": true, "https://one.example:8443/": true,
		"https://one.example/":                                  false,
		"http://169.254.169.254/metadata/identity/oauth2/token": true, "http://169.254.130.3:8081/msi/token": true,
		"http://metadata.google.internal/x": true, "http://168.63.129.16/": true, "http://[fd00:ec2::254]/": true,
		"http://example.com/": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := p.For(req)
		if err != nil || (proxy == nil) != direct {
			t.Errorf("%s: %v %v, want direct %v", url, proxy, err, direct)
		}
	}
	t.Setenv("NO_PROXY", "*")
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/", nil)
	if proxy, err := NewProxies().For(req); proxy != nil || err != nil {
		t.Errorf("NO_PROXY=*: %v %v", proxy, err)
	}
}

// A proxy that refuses the tunnel is named with its variable; its password is
// not. The message was not sent.
func TestProxyRefuses(t *testing.T) {
	for status, word := range map[int]string{http.StatusProxyAuthRequired: "user and password", http.StatusForbidden: "allow graph.example",
		http.StatusBadGateway: "cannot reach"} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(proxy.Close)
		t.Setenv("https_proxy", "")
		t.Setenv("HTTPS_PROXY", "http://user:pa55@"+proxy.Listener.Addr().String())
		t.Setenv("NO_PROXY", "")
		p := NewProxies()
		client := &http.Client{Transport: &http.Transport{Proxy: p.For, OnProxyConnectResponse: p.Refused}}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://graph.example/", strings.NewReader("x"))
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			t.Fatal("an answer came")
		}
		e := NetworkError(Graph, "graph.example", err, time.Now())
		if !NotProcessed(err) || e.Class != Transient || e.Status != status ||
			!strings.Contains(e.Message.String(), proxy.Listener.Addr().String()) || !strings.Contains(e.Hint.String(), word) ||
			!strings.Contains(e.Hint.String()+e.Message.In("it")+e.Hint.In("it"), "HTTPS_PROXY") ||
			strings.Contains(e.Error()+e.Err.Error(), "pa55") {
			t.Errorf("%d: %+v (%v)", status, e, err)
		}
	}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	p := NewProxies()
	client := &http.Client{Transport: &http.Transport{Proxy: p.For}}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://graph.example/", strings.NewReader("x"))
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("an answer came")
	}
	if e := NetworkError(Graph, "graph.example", err, time.Now()); e.Code != "proxy" ||
		!strings.Contains(e.Message.String(), "127.0.0.1:1") || errors.As(err, new(*proxyError)) {
		t.Errorf("%+v", e)
	}
}
