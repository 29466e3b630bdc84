package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.PublicHost = "api.contoso.it" })
	expired := vault.NewKey("pk_")
	_, err := w.store.PutAPIKey(context.Background(), store.APIKey{Name: "old", Hash: vault.HashKey(expired), Scopes: []string{ScopeAdmin},
		ExpiresAt: time.Now().Add(-time.Minute)})
	w.must(err)
	host := strings.TrimPrefix(w.http.URL, "http://")
	_, port, err := net.SplitHostPort(host)
	w.must(err)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("erp:pc_secret"))
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"this machine", nil, 401},
		{"this machine by name", []string{"Host", "localhost:" + port}, 401},
		{"own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", w.http.URL}, 401},
		{"a proxy on this machine", []string{"X-Forwarded-For", "203.0.113.9"}, 401},
		{"name and secret", []string{"Authorization", basic}, 200},
		{"name and secret, from a page of elsewhere", []string{"Authorization", basic, "Sec-Fetch-Site", "cross-site"}, 403},
		{"name and secret, own page", []string{"Authorization", basic, "Sec-Fetch-Site", "same-origin", "Origin", w.http.URL}, 200},
		{"name and secret, under the configured name", []string{"Authorization", basic, "Host", "MAIL.contoso.it."}, 200},
		{"name and secret, under the public name", []string{"Authorization", basic, "Host", "api.contoso.it"}, 200},
		{"name and secret, DNS rebinding", []string{"Authorization", basic, "Host", "attacker.example:" + port}, 403},
		{"name and secret, another port of this machine", []string{"Authorization", basic, "Sec-Fetch-Site", "same-site"}, 403},
		{"name and secret, origin without a name", []string{"Authorization", basic, "Origin", "null"}, 403},
		{"key, from a page of elsewhere", []string{"Authorization", "Bearer " + w.key, "Sec-Fetch-Site", "cross-site", "Host", "proxy.example"},
			200},
		{"expired key", []string{"Authorization", "Bearer " + expired.Reveal()}, 401},
		{"empty key", []string{"Authorization", "Bearer "}, 401},
		{"hash as key", []string{"Authorization", "Bearer " + vault.HashKey(expired)}, 401},
		{"another scheme", []string{"Authorization", "Negotiate abc"}, 401},
		{"wrong secret", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("erp:x"))}, 401},
		{"broken Basic", []string{"Authorization", "Basic %%%"}, 401},
	} {
		a := w.do("", "GET", "/v1/messages", nil, c.headers...)
		if a.status != c.status {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		if a.status == 401 && len(a.header.Values("WWW-Authenticate")) != 2 {
			t.Errorf("%s: no challenge", c.name)
		}
	}
}

// An address alone proves nothing by HTTP, whatever a client's networks are.
func TestClientByAddress(t *testing.T) {
	t.Parallel()
	for _, keyless := range []bool{false, true} {
		w := newWorld(t, func(o *Options) { o.Keyless = keyless })
		lan, err := w.store.PutClient(context.Background(),
			store.Client{Name: "lan", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		w.must(err)
		w.server.auth.edited()
		if !keyless {
			w.want(w.do("", "POST", "/v1/messages", note("x")), 401)
			continue
		}
		w.want(w.do("", "POST", "/v1/messages", note("x")), 202)
		w.want(w.do("", "GET", "/v1/messages", nil), 401)
		w.want(w.do("", "GET", "/v1/connections", nil), 401)
		var page MessagePage
		w.want(w.do(w.admin, "GET", "/v1/messages", nil), 200).into(t, &page)
		if len(page.Items) != 1 || page.Items[0].Message.Client != lan.ID {
			t.Errorf("%+v", page)
		}
	}
}

// Clients that another process has just added are not refused by the copy that
// this one has.
func TestFreshClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("new:pc_new"))
	w.want(w.do("", "GET", "/v1/messages", nil, "Authorization", basic), 401)
	_, err := w.store.PutClient(context.Background(), store.Client{Name: "new", SecretHash: vault.HashGenerated("pc_new")})
	w.must(err)
	w.want(w.do("", "GET", "/v1/messages", nil, "Authorization", basic), 200)

	w = newWorld(t, func(o *Options) { o.Keyless = true })
	send := func(want int) {
		t.Helper()
		a := serveAs(w, -1, "POST", "/v1/messages", `{"from":"erp@contoso.it","to":["a@example.com"],"text":"t"}`,
			func(r *http.Request) { r.RemoteAddr = "192.0.2.1:9" })
		if a.Code != want {
			t.Errorf("%d, want %d: %s", a.Code, want, a.Body)
		}
	}
	send(401)
	_, err = w.store.PutClient(context.Background(),
		store.Client{Name: "lan", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	w.must(err)
	send(202)
}

func TestWrongCredentialsAreCounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := newAuthLimiter(func() time.Time { return now })
	from := func(a string) string { return origin{addr: netip.MustParseAddr(a)}.limitKey() }
	a, near, far := from("2001:db8::1"), from("2001:db8::ffff"), from("2001:db8:1::1")
	for i := range failuresAtOnce {
		if wait := g.charge(a); wait > 0 {
			t.Fatalf("blocked after %d", i+1)
		}
	}
	if g.charge(near) == 0 || g.blocked(a) == 0 || g.blocked(far) > 0 {
		t.Error("a neighbour in the /64 counts as one, others do not")
	}
	now = now.Add(failureInterval)
	if g.blocked(a) > 0 {
		t.Error("still blocked")
	}
	for i := range maxLimited + 10 {
		g.charge(strconv.Itoa(i))
	}
	if len(g.at) > maxLimited {
		t.Errorf("%d addresses remembered", len(g.at))
	}

	w := newWorld(t, nil)
	status := 0
	for range failuresAtOnce + 1 {
		a := w.do("wrong", "GET", "/v1/messages", nil)
		if status = a.status; status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("%d", status)
	}
	w.want(w.do(w.key, "GET", "/v1/messages", nil), 200) // a good key is never shut out
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("erp:pc_secret"))
	w.want(w.do("", "GET", "/v1/messages", nil, "Authorization", basic), http.StatusTooManyRequests)
}

// Guesses at the same time are no more than one after the other, right ones are all
// taken, and what an address may not try any more is not charged to the account.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("anna@contoso.it", store.RoleAdmin)
	all := func(n int, ask func() answer) map[int]int {
		answers := make(chan int, n)
		for range n {
			go func() { answers <- ask().status }()
		}
		got := map[int]int{}
		for range n {
			got[<-answers]++
		}
		return got
	}
	signIn := func(password string) func() answer {
		return func() answer {
			return w.do("", "POST", "/v1/sign-in", map[string]any{"email": "anna@contoso.it", "password": password})
		}
	}
	basic := func(secret string) func() answer {
		return func() answer {
			return w.do("", "GET", "/v1/messages", nil, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("erp:"+secret)))
		}
	}
	const many = 3 * failuresAtOnce
	for name, c := range map[string]struct{ right, wrong func() answer }{
		"sign-in": {signIn(goodPassword), signIn("wrong password")},
		"basic":   {basic("pc_secret"), basic("wrong")},
	} {
		w.server.auth.limiter = newAuthLimiter(time.Now)
		if got := all(many, c.right); got[http.StatusOK] != many {
			t.Errorf("%s, right: %v", name, got)
		}
		got := all(many, c.wrong)
		if n := got[http.StatusUnauthorized]; n < failuresAtOnce || n > failuresAtOnce+2 || n+got[http.StatusTooManyRequests] != many {
			t.Errorf("%s, wrong: %v", name, got)
		}
		if n := len(w.server.auth.limiter.under); n > 0 {
			t.Errorf("%s: %d are still under way", name, n)
		}
	}
	owed := time.Until(w.server.auth.accounts.at["anna@contoso.it"])
	if most := (failuresAtOnce + 2) * failureInterval; owed > most {
		t.Errorf("one address has charged %v to the account", owed)
	}
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Pages = func(http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })
		}
	})
	w.want(w.do("", "GET", "/v1/nope", nil), 404)
	w.want(w.do("", "GET", "/", nil), http.StatusTeapot)
	if a := w.want(w.do(w.key, "DELETE", "/v1/messages", nil), 405); a.header.Get("Allow") != "GET, POST" {
		t.Error(a.header)
	}
	w.want(w.do(w.key, "GET", "/v1/messages/nope", nil), 404)
	w.want(w.do(w.key, "GET", "/v1/messages?nope=1", nil), 422)
	w.want(w.do(w.admin, "GET", "/metrics", nil), 200)
	w.want(w.do(w.key, "GET", "/metrics", nil), 403)
	body := string(w.do(w.admin, "GET", "/metrics", nil).body)
	for _, want := range []string{`postino_queue_deliveries{state="queued"} 0`, "postino_store_up 1",
		`postino_http_requests_total{code="404",method="GET",route="none"}`, "go_goroutines"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var got Accepted
	m := note("x")
	m["cc"] = []string{"b@example.com"}
	w.want(w.do(w.key, "POST", "/v1/messages", m), 202).into(t, &got)
	at := "/v1/messages/" + got.ID
	state := func() store.State {
		var d MessageDetail
		w.want(w.do(w.key, "GET", at, nil), 200).into(t, &d)
		return d.Deliveries[0].State
	}
	for _, step := range []struct {
		verb   string
		status int
		state  store.State
	}{{"release", 409, store.Queued}, {"hold", 200, store.Held}, {"hold", 409, store.Held}, {"release", 200, store.Queued}, {"cancel", 200,
		store.Cancelled}, {"cancel", 409, store.Cancelled}, {"retry", 200, store.Queued}} {
		w.want(w.do(w.key, "POST", at+"/"+step.verb, nil), step.status)
		if state() != step.state {
			t.Errorf("after %s: %v", step.verb, state())
		}
	}
	w.want(w.do(w.addKey(w.other(), clientScopes()...), "POST", at+"/cancel", nil), 404)
	var again ResendAnswer
	w.want(w.do(w.key, "POST", at+"/resend", nil), 202).into(t, &again)
	w.want(w.do(w.key, "POST", at+"/resend", map[string]any{"recipients": []string{"B@example.com"}}), 422)
	w.want(w.do(w.key, "POST", at+"/resend", map[string]any{"recipients": []string{"b@EXAMPLE.com"}, "connection": "Ufficio"}), 202).into(t,
		&again)
	var d MessageDetail
	w.want(w.do(w.key, "GET", "/v1/messages/"+again.ID, nil), 200).into(t, &d)
	if len(d.Deliveries) != 1 || len(d.Deliveries[0].Recipients) != 1 || d.Deliveries[0].ID != again.Deliveries[0] ||
		d.ResentOf != got.ID || d.MessageID != again.MessageID || again.MessageID == got.MessageID {
		t.Errorf("%+v", d)
	}
}

// A trickle does not hold a connection for ever, and does not stop others.
func TestTrickle(t *testing.T) {
	t.Parallel()
	b := &pacedBody{body: http.NoBody, control: http.NewResponseController(httptest.NewRecorder()), start: time.Now().Add(-time.Hour)}
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("no end")
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	past := &deadlines{ResponseRecorder: httptest.NewRecorder(), conn: server}
	slow := &pacedBody{body: server, control: http.NewResponseController(past), start: time.Now().Add(-time.Hour)}
	_, err := slow.Read(make([]byte, 1))
	var f *failure
	if !errors.As(err, &f) || f.status != http.StatusRequestTimeout {
		t.Errorf("%v", err)
	}
}

// deadlines sets the deadlines of a connection as net/http does.
type deadlines struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (d *deadlines) SetReadDeadline(t time.Time) error { return d.conn.SetReadDeadline(t) }

func TestServe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.must(w.server.Listen("127.0.0.1:0", nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(ctx) }()
	url := "http://" + w.server.Addr()
	res, err := http.Get(url + "/readyz")
	w.must(err)
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Error(res.Status)
	}
	r, err := http.NewRequest("GET", url+"/v1/events/stream", nil)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+w.key)
	stream, err := http.DefaultClient.Do(r)
	w.must(err)
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Scan()
	cancel() // a stream that is open does not hold up the end
	select {
	case err := <-done:
		w.must(err)
	case <-time.After(8 * time.Second):
		t.Fatal("Serve did not end")
	}
	for lines.Scan() {
	}
}
