package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox"
)

// write makes a file with a secret, as whoever gives one has it.
func (r *secretRun) write(text string) string {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// connections adds one of every provider and kind of credential, and those that are refused.
func (r *secretRun) connections() {
	r.t.Helper()
	for _, name := range r.kinds {
		r.ok("", "connection", "add", "--file", r.file(name))
	}
	r.ok("", "connection", "duplicate", "graph", "wrong", "--secret-file", r.write(wrongSecret), "--set", "from=wrong@contoso.example")
	r.ok("", "connection", "duplicate", "smtp", "wrongsmtp", "--secret-file", r.write(wrongSecret), "--set", "from=wrong2@contoso.example")
	r.ok("", "connection", "enable", "wrong")
	r.ok("", "connection", "enable", "wrongsmtp")
	r.run("", "connection", "add", "broken", "--file",
		r.write(`{"provider":"smtp","smtp":{"password":"`+r.secret("in broken JSON", "br0ken-s3cret")+`"`))
	r.run("", "connection", "add", "broken", "--file", r.write(`{"provider":"smtp","from":"a@x.it","smtp":{"passwrd":"br0ken-s3cret"}}`))
	r.run("", "connection", "add", "broken", "--file",
		r.write(`{"provider":"gmail","from":"a@x.it","gmail":{"service_account_json":"br0ken-s3cret"}}`))
	r.run("", "connection", "add", "broken", "--from", "a@x.it", "--host", "h.x.it", "--set", "smtp.password=br0ken-s3cret")
	r.ok("", "connection", "default", "graph", "--mode", "always")
	r.ok("", "connection", "certificate", "new", "graph")
	r.ok("", "connection", "list", "--json")
	r.ok("", "connection", "show", "graph")
}

// programs makes those who come in: people, clients, keys and a webhook.
func (r *secretRun) programs() {
	r.t.Helper()
	secret := regexp.MustCompile(`"secret": ?"([^"]+)"`)
	password := r.secret("password of a person", "quattro parole segrete qui")
	r.ok(password+"\n", "people", "add", "anna@contoso.example", "--role", "admin", "--password-file", "-")
	r.run("corta", "people", "password", "anna@contoso.example", "--password-file", "-")
	r.shown("invitation", "", regexp.MustCompile(`pi_[0-9a-z]+`), "people", "add", "bruno@contoso.example", "--url",
		"https://mail.contoso.example")
	r.ok("", "connection", "owner", "smtp", "bruno@contoso.example")
	r.shown("secret of a client", "", secret, "client", "add", "erp", "--sender", "*@contoso.example", "--network", "127.0.0.0/8", "--json")
	r.shown("key", "", regexp.MustCompile(`pk_[0-9a-z]+`), "key", "add", "all")
	r.shown("key of a client", "", regexp.MustCompile(`pk_[0-9a-z]+`), "key", "add", "shop", "--client", "erp")
	r.shown("secret of a webhook", "", secret, "webhook", "add", r.hook().URL, "--type", "all", "--json", "--config", r.hookConfig())
}

func (r *secretRun) hookConfig() string {
	return r.write("[webhooks]\nnetworks = [\"127.0.0.0/8\"]\n")
}

// hook receives the events; what comes is an output.
func (r *secretRun) hook() *hookReceiver {
	h := newHookReceiver(r.t)
	r.told = func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.ContainsFunc(h.bodies, func(b []byte) bool { return strings.Contains(string(b), "\"delivery.") })
	}
	r.received = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.bodies) == 0 {
			r.t.Error("no event reached the webhook")
		}
		for i, b := range h.bodies {
			r.output("call of the webhook", string(b)+fmt.Sprint(h.heads[i]))
		}
	}
	return h
}

// mail sends by each connection, good and refused, and with wrong logins.
func (r *secretRun) mail() {
	r.t.Helper()
	r.s.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Status: http.StatusBadRequest, Code: "ErrorInvalidRecipients", Times: 1})
	sent := 0
	for _, name := range append(slices.Clone(r.kinds), "wrong", "wrongsmtp") {
		r.ok("", "connection", "default", name, "--mode", "always")
		if err := r.submitAs("", "", "by "+name); err != nil {
			r.t.Error(err)
		}
		sent++
	}
	if err := r.submitAs("erp", r.secret("wrong login", "wr0ng-login-secret"), "wrong"); err == nil {
		r.t.Error("a wrong password of a client is taken")
	}
	if err := r.submitAs("erp", r.secrets["secret of a client"], "login"); err != nil {
		r.t.Errorf("login: %v", err)
	}
	for end := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		if len(r.s.Deliveries()) >= sent-3 && r.told() || time.Now().After(end) { // one refused, two with a wrong secret
			break
		}
	}
	if got := len(r.s.Deliveries()); got < sent-3 {
		r.t.Errorf("%d of %d messages arrived", got, sent-3)
	}
	r.ok("", "queue", "list")
	var list []struct{ ID string }
	out := r.ok("", "queue", "list", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) < sent {
		r.t.Errorf("%v: %s", err, out)
	}
	for _, d := range list {
		r.ok("", "queue", "show", d.ID, "--json")
	}
	dir := filepath.Join(r.t.TempDir(), "export")
	r.ok("", "queue", "export", "--since", "24h", "--dir", dir)
	r.files("export of messages", dir)
}

// tests asks every connection stage by stage, also as a process that others see.
func (r *secretRun) tests() {
	r.t.Helper()
	for _, name := range append(slices.Clone(r.kinds), "wrong", "wrongsmtp") {
		r.run("", "connection", "test", name, "--ca-file", r.s.CAFile(), "--json")
	}
	r.process("connection", "test", "--file", r.file("smtp"), "--to", "anna@example.com", "--ca-file", r.s.CAFile())
	r.process("connection", "edit", "wrong", "--secret-file", r.write(wrongSecret))
	r.process("people", "password", "anna@contoso.example", "--password-file", r.write(r.secrets["password of a person"]))
	r.run("", "doctor", "--json", "--ca-file", r.s.CAFile())
}

func (r *secretRun) exports() {
	r.t.Helper()
	r.ok("", "connection", "export")
	r.ok("", "connection", "export", "--format", "csv")
	r.ok("", "connection", "export", "--recipient", "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z")
	r.run("", "connection", "import", r.file("smtp"), "--plan")
	r.run("", "connection", "apply", "-f", r.file("gmail"), "--plan")
	for target, name := range map[string]string{"entra": "graph", "exchange": "graph", "google": "gmail"} {
		r.ok("", "connection", "script", name, "--for", target)
	}
	r.ok("", "people", "audit", "--limit", "0", "--jsonl")
	r.ok("", "people", "audit", "--limit", "0", "--csv")
	r.ok("", "audit")
	r.ok("", "alerts")
	r.ok("", "client", "list", "--json")
	r.ok("", "key", "list", "--json")
	r.ok("", "webhook", "list", "--json")
	r.ok("", "people", "sessions", "anna@contoso.example")
	r.run("", "connection", "migrate", "smtp", "--to", "graph", "--file", r.file("graph"), "--ca-file", r.s.CAFile())
}

func (r *secretRun) rotations() {
	r.t.Helper()
	r.ok("", "vault", "rotate", "--prepare") // the server runs beside it
	r.ok("", "vault", "rotate")
	r.ok("", "vault", "drop-old")
	secret := regexp.MustCompile(`"secret": ?"([^"]+)"`)
	r.shown("new secret of a client", "", secret, "client", "rotate", "erp", "--json")
	var hooks []struct{ ID string }
	if err := json.Unmarshal([]byte(r.ok("", "webhook", "list", "--json")), &hooks); err != nil || len(hooks) != 1 {
		r.t.Fatal(err, hooks)
	}
	r.shown("new secret of a webhook", "", secret, "webhook", "rotate", hooks[0].ID, "--json")
	r.ok("", "webhook", "test", hooks[0].ID, "--config", r.hookConfig())
	r.ok("", "webhook", "deliveries", hooks[0].ID, "--json")
	r.ok("", "connection", "edit", "smtp", "--secret-file", r.write(r.secrets["password of the SMTP server"]))
	raw, err := os.ReadFile(filepath.Join(r.data, "key.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	for i, m := range regexp.MustCompile(`"value": ?"([^"]{20,})"`).FindAllSubmatch(raw, -1) {
		r.secret(fmt.Sprint("key of the vault ", i), string(m[1]))
	}
	if r.secrets["key of the vault 0"] == "" {
		r.t.Error("the key file has another form")
	}
	r.received()
}

// pages reads every page that a signed-in administrator can reach by links, after wrong sign-ins.
func (r *secretRun) pages() {
	r.t.Helper()
	r.sign("anna@contoso.example", r.secret("wrong password of a person", "wr0ng-password-of-anna"))
	r.sign(r.secret("password in the wrong field", "typed-in-the-wr0ng-field"), "x")
	browser := r.signIn("session")
	link := regexp.MustCompile(`(?:href|src|action)="(/[^"#]*)"`)
	seen, todo := map[string]bool{"/": true}, []string{"/"}
	for len(todo) > 0 && len(seen) < r.pageLimit {
		page := todo[0]
		todo = todo[1:]
		resp, err := browser.Get(r.http + page)
		if err != nil {
			r.t.Fatal(err)
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			r.t.Errorf("%s: %v", page, err)
		}
		r.output("page "+page, resp.Status+string(b))
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if next := strings.ReplaceAll(m[1], "&amp;", "&"); !seen[next] && !strings.Contains(next, "sign-out") {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	if len(seen) < 60 {
		r.t.Errorf("only %d pages were found: %v", len(seen), seen)
	}
}

// sign signs in with a browser of its own.
func (r *secretRun) sign(email, password string) (*http.Client, int) {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := browser.Post(r.http+"/v1/sign-in", "application/json", strings.NewReader(string(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	r.output("POST /v1/sign-in", string(b))
	return browser, resp.StatusCode
}

// signIn is sign with the right password; the session is a secret.
func (r *secretRun) signIn(name string) *http.Client {
	r.t.Helper()
	browser, status := r.sign("anna@contoso.example", r.secrets["password of a person"])
	if status != http.StatusOK {
		r.t.Fatalf("sign-in: %d", status)
	}
	base, err := url.Parse(r.http)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range browser.Jar.Cookies(base) {
		r.secret(name+" "+c.Name, c.Value)
	}
	return browser
}

// An operation of /openapi.json.
type secretOperation struct{ method, path string }

// operations are all, those that only read first and those that remove last.
func (r *secretRun) operations() (out []secretOperation) {
	r.t.Helper()
	var doc struct{ Paths map[string]map[string]any }
	_, body, _ := strings.Cut(r.get(r.request("GET", "/openapi.json", "")), "\n\n")
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		r.t.Fatal(err)
	}
	order := []string{"get", "post", "patch", "put", "delete"}
	for path, item := range doc.Paths {
		for method := range item {
			if slices.Contains(order, method) {
				out = append(out, secretOperation{method, path})
			}
		}
	}
	slices.SortFunc(out, func(a, b secretOperation) int {
		if d := slices.Index(order, a.method) - slices.Index(order, b.method); d != 0 {
			return d
		}
		return strings.Compare(a.path, b.path)
	})
	if len(out) < 90 {
		r.t.Errorf("only %d operations", len(out))
	}
	return out
}

func (r *secretRun) request(method, path, body string) *http.Request {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), 20*time.Second)
	if strings.HasSuffix(path, "/stream") {
		cancel()
		ctx, cancel = context.WithTimeout(context.WithoutCancel(r.t.Context()), 300*time.Millisecond)
	}
	r.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), r.http+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+r.secrets["key"])
	return req
}

// api reads all that the API returns of what is there.
func (r *secretRun) api() {
	r.t.Helper()
	for _, o := range r.operations() {
		if o.method != "get" {
			continue
		}
		for _, path := range r.filled(o.path) {
			r.output("GET "+path, r.get(r.request("GET", path, "")))
		}
	}
	wrong := r.request("GET", "/v1/connections", "")
	wrong.Header.Set("Authorization", "Bearer "+r.secret("wrong key", "pk_wr0ngwr0ngwr0ngwr0ng"))
	r.output("a wrong key", r.get(wrong))
	wrong = r.request("GET", "/v1/connections", "")
	wrong.SetBasicAuth("erp", r.secrets["wrong login"])
	r.output("a wrong password", r.get(wrong))
}

// filled puts the ids of real records into a path: all of the connections.
func (r *secretRun) filled(path string) (out []string) {
	r.t.Helper()
	if !strings.Contains(path, "{id}") {
		return []string{path}
	}
	list, _, _ := strings.Cut(path, "/{id}")
	if list == "/v1/me/passkeys" || list == "/v1/me/sessions" {
		return []string{strings.NewReplacer("{id}", "none").Replace(path)}
	}
	_, body, _ := strings.Cut(r.get(r.request("GET", list, "")), "\n\n")
	for _, m := range regexp.MustCompile(`"id":"([0-9A-Za-z_-]{10,})"`).FindAllStringSubmatch(body, -1) {
		out = append(out, strings.NewReplacer("{id}", m[1], "{part}", "1", "{passkey}", "none").Replace(path))
		if len(out) == len(r.kinds)+2 {
			break
		}
	}
	if len(out) == 0 {
		return []string{strings.ReplaceAll(path, "{id}", "none")}
	}
	return out
}

// calls calls every operation that changes something with secrets at their places, at
// wrong places, in broken JSON, and with a wrong type.
func (r *secretRun) calls() {
	r.t.Helper()
	s := r.secret("secret in a body", `b0dy-secret/+"<&>'`)
	quoted, err := json.Marshal(s)
	if err != nil {
		r.t.Fatal(err)
	}
	browser := r.signIn("last session") // the change of the password ended the first one
	for _, o := range r.operations() {
		if o.method == "get" || o.path == "/v1/sign-out" || o.path == "/v1/keys/{id}" { // the caller's own may be the first
			continue
		}
		path := r.filled(o.path)[0]
		for _, body := range secretBodies(string(quoted)) {
			req := r.request(o.method, path, body)
			if strings.HasPrefix(o.path, "/v1/me") || strings.HasPrefix(o.path, "/v1/sign-in") {
				req.Header.Del("Authorization")
				req.Header.Set("Origin", r.http)
				r.output(o.method+" "+path+" "+body, r.getBy(browser, req))
				continue
			}
			r.output(o.method+" "+path+" "+body, r.get(req))
		}
	}
}
