package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/people/passkeytest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// A person makes a passkey, signs in with it, renames and removes it, and the first
// administrator has one by their link.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	const origin = "https://mail.example.com"
	w := newWorld(t, func(o *Options) { o.PublicURL = origin })
	do := func(cookie, method, path string, body any, status int) answer {
		t.Helper()
		return w.want(w.do("", method, path, body, "Origin", origin, "Cookie", cookie), status)
	}
	cookieOf := func(a answer) string {
		t.Helper()
		cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		if !strings.HasPrefix(cookie, "__Host-postino_session=ps_") {
			t.Fatalf("the cookie: %v", a.header)
		}
		return cookie
	}
	device := &passkeytest.Authenticator{Origin: origin}
	answered := func(a answer, by func(json.RawMessage) (json.RawMessage, error)) json.RawMessage {
		t.Helper()
		var r PasskeyRequest
		a.into(t, &r)
		out, err := by(r.Options)
		w.must(err)
		return out
	}
	signIn := func(status int) answer {
		t.Helper()
		asked := do("", "POST", "/v1/sign-in/passkey/begin", nil, http.StatusOK)
		return do("", "POST", "/v1/sign-in/passkey", map[string]any{"credential": answered(asked, device.Get)}, status)
	}

	first, err := w.server.opt.People.Setup(context.Background())
	w.must(err)
	do("", "POST", "/v1/invitations/passkey", map[string]any{"token": "pi_made-up", "email": "anna@contoso.it"}, http.StatusGone)
	link := map[string]any{"token": first.Token.Reveal(), "email": "anna@contoso.it"}
	asked := do("", "POST", "/v1/invitations/passkey", link, http.StatusOK)
	accept := map[string]any{"token": first.Token.Reveal(), "email": "anna@contoso.it", "passkey": answered(asked, device.Create)}
	cookieOf(do("", "POST", "/v1/invitations/accept", accept, http.StatusOK))
	cookie := cookieOf(signIn(http.StatusOK))

	var me view.Person
	do(cookie, "GET", "/v1/me", nil, http.StatusOK).into(t, &me)
	if len(me.Passkeys) != 1 || me.HasPassword || me.Passkeys[0].LastUsedAt.IsZero() {
		t.Errorf("me: %+v", me)
	}
	old := "/v1/me/passkeys/" + me.Passkeys[0].ID
	do(cookie, "DELETE", old, nil, http.StatusConflict) // all that there is
	do(cookie, "PATCH", old, map[string]any{"name": "old phone"}, http.StatusOK)
	phone := &passkeytest.Authenticator{Origin: origin}
	asked = do(cookie, "POST", "/v1/me/passkeys/begin", map[string]any{}, http.StatusOK)
	made := answered(asked, phone.Create)
	do(cookie, "POST", "/v1/me/passkeys", map[string]any{"name": "phone", "credential": made}, http.StatusCreated).into(t, &me)
	do(cookie, "POST", "/v1/me/passkeys", map[string]any{"name": "phone", "credential": made}, http.StatusGone) // good once
	if len(me.Passkeys) != 2 || me.Passkeys[0].Name != "old phone" || me.Passkeys[1].Name != "phone" {
		t.Errorf("me: %+v", me)
	}
	fresh := cookieOf(do(cookie, "DELETE", old, nil, http.StatusOK))
	do(cookie, "GET", "/v1/me", nil, http.StatusUnauthorized)
	do(fresh, "GET", "/v1/me", nil, http.StatusOK)
	a := signIn(http.StatusUnauthorized) // with the one that is gone
	if a.header.Get("Set-Cookie") != "" || a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("refused: %v", a.header)
	}

	// An administrator removes that of another, and only that.
	path := "/v1/people/anna@contoso.it/passkeys/"
	w.want(w.do(w.admin, "DELETE", path+"none", nil), http.StatusNotFound)
	w.want(w.do(w.admin, "DELETE", path+me.Passkeys[1].ID, nil), http.StatusConflict) // the last one
	if p, err := w.store.PersonByEmail(context.Background(), "anna@contoso.it"); err != nil || len(p.Passkeys) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// Who has a password shows it, and wrong ones count; without a name the server has no
// passkeys; what is begun is bounded.
func TestPasskeysAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("anna@contoso.it", store.RoleAdmin)
	cookie := w.signIn("anna@contoso.it")
	w.want(w.as(cookie, "POST", "/v1/me/passkeys/begin", map[string]any{}), http.StatusUnauthorized)
	w.want(w.as(cookie, "POST", "/v1/me/passkeys/begin", map[string]any{"present": "wrong"}), http.StatusUnauthorized)
	a := w.want(w.as(cookie, "POST", "/v1/me/passkeys/begin", map[string]any{"present": goodPassword}), http.StatusConflict)
	if !strings.Contains(string(a.body), "no_passkeys") {
		t.Errorf("%s", a.body)
	}
	w.want(w.do("", "POST", "/v1/sign-in/passkey/begin", nil, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	for i := range accountFailuresAtOnce + 1 {
		want := http.StatusConflict
		if i == accountFailuresAtOnce {
			want = http.StatusTooManyRequests
		}
		w.want(w.do("", "POST", "/v1/sign-in/passkey/begin", nil), want)
	}
}
