package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/localsocket"
)

// Without a key, where the administrator insists: programs of this machine hand
// over messages; what a proxy or a browser could have sent is refused.
func TestKeyless(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Keyless = true })
	jsonType := []string{"Content-Type", "application/json"}
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"a program", jsonType, 202},
		{"by name", append([]string{"Host", "localhost:1"}, jsonType...), 202},
		{"by the configured name", append([]string{"Host", "mail.contoso.it"}, jsonType...), 202},
		{"a name that somebody registered", append([]string{"Host", "attacker.example:8025"}, jsonType...), 403},
		{"a name that begins as ours", append([]string{"Host", "localhost.attacker.example"}, jsonType...), 403},
		{"Forwarded", append([]string{"Forwarded", "for=203.0.113.9"}, jsonType...), 401},
		{"X-Forwarded-For", append([]string{"X-Forwarded-For", "203.0.113.9"}, jsonType...), 401},
		{"X-Forwarded-For without a value", append([]string{"X-Forwarded-For", ""}, jsonType...), 401},
		{"X-Forwarded-Proto alone", append([]string{"X-Forwarded-Proto", "https"}, jsonType...), 401},
		{"X-Forwarded-Host alone", append([]string{"X-Forwarded-Host", "a.example"}, jsonType...), 401},
		{"X-Original-Forwarded-For", append([]string{"X-Original-Forwarded-For", "1.2.3.4"}, jsonType...), 401},
		{"X-Real-IP", append([]string{"X-Real-IP", "1.2.3.4"}, jsonType...), 401},
		{"Via", append([]string{"Via", "1.1 squid"}, jsonType...), 401},
		{"CF-Connecting-IP", append([]string{"CF-Connecting-IP", "1.2.3.4"}, jsonType...), 401},
		{"True-Client-IP", append([]string{"True-Client-IP", "1.2.3.4"}, jsonType...), 401},
		{"another site", append([]string{"Sec-Fetch-Site", "cross-site"}, jsonType...), 403},
		{"another port", append([]string{"Sec-Fetch-Site", "same-site"}, jsonType...), 403},
		{"a typed address", append([]string{"Sec-Fetch-Site", "none"}, jsonType...), 403},
		{"an origin", append([]string{"Origin", "https://attacker.example"}, jsonType...), 403},
		{"an origin without a name", append([]string{"Origin", "null"}, jsonType...), 403},
		{"own origin", append([]string{"Origin", w.http.URL}, jsonType...), 403},
		{"a page's address", append([]string{"Referer", "http://attacker.example/x"}, jsonType...), 403},
		{"a form", []string{"Content-Type", "application/x-www-form-urlencoded"}, 403},
		{"a form with files", []string{"Content-Type", "multipart/form-data; boundary=x"}, 403},
		{"a form of text", []string{"Content-Type", "text/plain"}, 403},
		{"no type", nil, 403},
		{"a wrong key", append([]string{"Authorization", "Bearer pk_wrong"}, jsonType...), 401},
	} {
		body := bytes.NewReader([]byte(`{"from":"erp@contoso.it","to":["a@example.com"],"subject":"s","text":"t"}`))
		if a := w.do("", "POST", "/v1/messages", body, c.headers...); a.status != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, a.status, c.status, a.body)
		}
	}
}

// serveAs asks the handler as it is asked by a peer of the socket (role below
// zero: none, by TCP from this machine).
func serveAs(w *world, role localsocket.Role, method, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:9"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if role >= 0 {
		p := localsocket.Peer{Role: role, User: "uid 7"}
		r.RemoteAddr = p.String()
		r = r.WithContext(withPeer(r.Context(), fakeConn{peer: p}))
	}
	if change != nil {
		change(r)
	}
	out := httptest.NewRecorder()
	w.server.Handler().ServeHTTP(out, r)
	return out
}

// A proxy that runs as an administrator and passes requests on to the socket
// makes no one an administrator.
func TestSocketBehindProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"a program":       {nil, 200},
		"any host name":   {func(r *http.Request) { r.Host = "postino" }, 200},
		"X-Forwarded-For": {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.9") }, 401},
		"HTTP/1.0":        {func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, 401},
		"a browser":       {func(r *http.Request) { r.Header.Set("Origin", "https://a.example") }, 403},
		"with a key": {func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "1.2.3.4")
			r.Header.Set("Authorization", "Bearer "+w.admin)
		}, 200},
		"a key decides": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+w.key) }, 403},
	} {
		if a := serveAs(w, localsocket.Owner, "GET", "/v1/clients", "", c.change); a.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, a.Code, c.want, a.Body)
		}
	}
}

// The figures are for programs of this machine too, and for no one behind a proxy.
func TestMetricsOnTheMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	behind := newWorld(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	w.want(w.do(w.key, "POST", "/v1/messages", note("x")), 202)
	for name, c := range map[string]struct {
		w      *world
		change func(*http.Request)
		want   int
	}{
		"here":                          {w, nil, 200},
		"Prometheus":                    {w, set("X-Prometheus-Scrape-Timeout-Seconds", "10"), 200},
		"by a proxy":                    {w, set("X-Forwarded-For", "203.0.113.9"), 401},
		"by a proxy's HTTP/1.0":         {w, func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, 401},
		"by a proxy that is named":      {behind, nil, 401},
		"from elsewhere":                {w, func(r *http.Request) { r.RemoteAddr = "192.0.2.1:9" }, 401},
		"DNS rebinding":                 {w, func(r *http.Request) { r.Host = "attacker.example" }, 401},
		"a web page":                    {w, set("Sec-Fetch-Site", "cross-site"), 401},
		"with a wrong key":              {w, set("Authorization", "Bearer pk_x"), 401},
		"with a key that may not do it": {w, set("Authorization", "Bearer "+w.key), 403},
	} {
		if a := serveAs(c.w, -1, "GET", "/metrics", "", c.change); a.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, a.Code, c.want, a.Body)
		}
	}
	// How much each mailbox has to do is for administrators.
	const named = `postino_lane_queued{lane="`
	if a := serveAs(w, localsocket.Owner, "GET", "/metrics", "", nil).Body.String(); !strings.Contains(a, named) {
		t.Errorf("the administrator sees no lane: %s", a)
	}
	a := serveAs(w, -1, "GET", "/metrics", "", nil).Body.String()
	if strings.Contains(a, named) || strings.Contains(a, "contoso") ||
		!strings.Contains(a, `postino_queue_deliveries{state="queued"}`) || !strings.Contains(a, "postino_http_requests_total{") {
		t.Errorf("without a key: %s", a)
	}
}

// X-Forwarded-For is believed from named addresses alone, and no further than
// they wrote it.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	a := trustedProxies{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::1/128")}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "203.0.113.9", "192.0.2.1"}, // no one's proxy
		{"10.0.0.1:5", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:5", "198.51.100.1, 203.0.113.9", "203.0.113.9"},           // the first is what the caller claimed
		{"10.0.0.1:5", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"}, // two proxies
		{"10.0.0.1:5", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"[fd00::1]:5", "[2001:db8::1]:443", "2001:db8::1"},
		{"10.0.0.1:5", "203.0.113.9:1234", "203.0.113.9"},
		{"[::ffff:10.0.0.1]:5", "::ffff:203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "unknown", "10.0.0.1"},
		{"10.0.0.1:5", "203.0.113.9, nonsense, 10.0.0.2", "10.0.0.2"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Forwarded-For", c.forwarded)
		got, err := a.origin(r)
		if err != nil || got.addr != netip.MustParseAddr(c.want) || got.local {
			t.Errorf("%s from %s: %v %v, want %s", c.forwarded, c.remote, got, err, c.want)
		}
	}
}
