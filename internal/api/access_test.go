package api

import (
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/localsocket"
	"github.com/postino-mail/postino/internal/view"
)

// fakeConn is a connection of which only its peer is asked.
type fakeConn struct {
	net.Conn
	peer net.Addr
}

func (c fakeConn) RemoteAddr() net.Addr { return c.peer }

// A caller of the table: how a request gets its credentials.
type accessCaller struct {
	w      *world
	role   localsocket.Role // below zero: by TCP
	auth   string           // Authorization
	more   []string         // a header, its value
	cookie func() string    // of a new session for each request
}

// accessCallers are the columns of testdata/access.txt.
//
//	anyone    by TCP from this machine, without credentials
//	keyless   the same, where keyless = "send"
//	proxied   the same, behind a proxy that says so
//	stranger  by the socket, some user of the machine
//	member    by the socket, a member of socket_group
//	owner     by the socket, root or the server's user
//	wrong     a key that does not exist
//	client    the key of a client with all its scopes, on that client's records
//	basic     name and secret of that client
//	other     another client's key, on the first one's records
//	operator  an operator in a session, on the records of their own connection
//	operator-other  the same, on the records of others
//	person-key  the key of that operator, on the records of others
//	the rest  a key of no client with this scope alone
func accessCallers(t *testing.T) map[string]accessCaller {
	w, keyless := newWorld(t, nil), newWorld(t, func(o *Options) { o.Keyless = true })
	out := map[string]accessCaller{
		"anyone":   {w: w, role: -1},
		"keyless":  {w: keyless, role: -1},
		"proxied":  {w: keyless, role: -1, more: []string{"X-Forwarded-For", "203.0.113.9"}},
		"stranger": {w: w, role: localsocket.Stranger},
		"member":   {w: w, role: localsocket.Member},
		"owner":    {w: w, role: localsocket.Owner},
		"client":   {w: w, role: -1, auth: "Bearer " + w.key},
		"basic":    {w: w, role: -1, auth: "Basic ZXJwOnBjX3NlY3JldA=="},
		"other":    {w: w, role: -1, auth: "Bearer " + w.addKey(w.other(), clientScopes()...)},
		"wrong":    {w: newWorld(t, nil), role: -1, auth: "Bearer pk_wrong"},
	}
	_, key := w.operator("op@contoso.it")
	out["operator"] = accessCaller{w: w, role: -1, cookie: func() string { return w.signIn("op@contoso.it") }}
	out["operator-other"] = out["operator"]
	out["person-key"] = accessCaller{w: w, role: -1, auth: "Bearer " + key}
	for _, scope := range []string{ScopeMessagesSend, ScopeMessagesRead, ScopeEventsRead, ScopeConnectionsRead, ScopeConnectionsWrite,
		ScopeClientsWrite, ScopeAdmin} {
		out[scope] = accessCaller{w: w, role: -1, auth: "Bearer " + w.addKey("", scope)}
	}
	return out
}

// TestAccess: testdata/access.txt states of every operation of /openapi.json what
// every kind of caller may: "yes", or the status of the refusal (404: the record
// is another client's, and does not exist for this one). An operation without a
// line fails. POSTINO_UPDATE=1 writes down what is: read the difference.
func TestAccess(t *testing.T) {
	t.Parallel()
	const file = "testdata/access.txt"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	columns := strings.Fields(lines[0])[2:]
	stated := map[string][]string{}
	for _, l := range lines[1:] {
		f := strings.Fields(l)
		stated[f[0]+" "+f[1]] = f[2:]
	}
	callers := accessCallers(t)
	if len(columns) != len(callers) {
		t.Errorf("%d columns of %d callers", len(columns), len(callers))
	}
	w := callers["owner"].w
	ids := ownRecords(w)
	var found []string
	for path, item := range w.server.router.api.OpenAPI().Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch,
			"DELETE": item.Delete,
			"HEAD":   item.Head, "OPTIONS": item.Options, "TRACE": item.Trace} {
			if o != nil {
				found = append(found, path+" "+method)
			}
		}
	}
	slices.Sort(found)
	var now strings.Builder
	now.WriteString(lines[0] + "\n")
	for _, op := range found {
		path, method, _ := strings.Cut(op, " ")
		want, known := stated[method+" "+path]
		now.WriteString(pad(method+" "+path, 44))
		for i, name := range columns {
			got := callers[name].may(name, method, path, ids)
			now.WriteString(" " + pad(got, len(name)))
			if !known || i >= len(want) || want[i] != got {
				t.Errorf("%s %s as %s: %s; %s says %q", method, path, name, got, file, want)
			}
		}
		now.WriteString("\n")
		delete(stated, method+" "+path)
	}
	for op := range stated {
		t.Errorf("%s states something of %s, which does not exist", file, op)
	}
	if os.Getenv("POSTINO_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }

// ownRecords makes a message and a webhook of the world's client.
func ownRecords(w *world) map[string]string {
	var m Accepted
	w.want(w.do(w.key, "POST", "/v1/messages", note("own")), http.StatusAccepted).into(w.t, &m)
	var h view.Webhook
	w.want(w.do(w.key, "POST", "/v1/webhooks", map[string]any{"url": "https://127.0.0.1/hook"}), http.StatusCreated).into(w.t, &h)
	return map[string]string{"/v1/messages/": m.ID, "/v1/webhooks/": h.ID, "/v1/connections/": w.othersConnection()}
}

// others reports whether a caller of the table is to try the records of others.
func (c accessCaller) others(name string) bool {
	return name == "other" || name == "operator-other" || name == "person-key"
}

// may asks once. Nothing in the request is right but who asks, so that nothing
// happens; only another client names records that exist.
func (c accessCaller) may(name, method, path string, ids map[string]string) string {
	id := "nope"
	for prefix, own := range ids {
		if c.others(name) && strings.HasPrefix(path, prefix) {
			id = own
		}
	}
	url := strings.ReplaceAll(path, "{id}", id)
	if path == "/v1/events/stream" {
		url += "?after=x"
	}
	if strings.HasSuffix(path, "/script") && id != "nope" {
		url += "?for=entra"
	}
	body := ""
	if method != http.MethodGet && method != http.MethodDelete {
		body = "{}"
	}
	if c.others(name) && id != "nope" { // right in itself: the record's owner must be what refuses it
		switch method + path {
		case "PUT/v1/webhooks/{id}":
			body = `{"url":"https://127.0.0.1/taken"}`
		case "POST/v1/connections/{id}/default":
			body = `{"mode":"no"}`
		case "POST/v1/connections/{id}/move":
			body = `{"to":"no-such-connection"}`
		case "POST/v1/webhooks/{id}/replay":
			body = `{"after":0}`
		}
	}
	if (c.cookie != nil || name == "person-key") && method+path == "POST/v1/webhooks" {
		body = `{"url":"https://127.0.0.1/own"}`
	}
	a := serveAs(c.w, c.role, method, url, body, func(r *http.Request) {
		if c.cookie != nil {
			r.Header.Set("Cookie", c.cookie())
		}
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		if len(c.more) > 0 {
			r.Header.Set(c.more[0], c.more[1])
		}
	})
	switch {
	case a.Code == http.StatusUnauthorized, a.Code == http.StatusForbidden, a.Code == http.StatusNotFound && id != "nope":
		return strconv.Itoa(a.Code)
	case a.Code == http.StatusTooManyRequests:
		return "401" // one wrong key too many says the same
	}
	return "yes"
}
