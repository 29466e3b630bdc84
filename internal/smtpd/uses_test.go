package smtpd

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// Logins, and refusals before and after them, are noted of the client; those under a
// name that no client has are not.
func TestUsesOfClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true, Auth: "required"}},
		clients: []store.Client{{Name: "erp", SecretHash: "s"}, {Name: "off", SecretHash: "s", Disabled: true}}})
	for _, c := range []struct{ name, secret, code string }{{"erp", "s", "235"}, {"erp", "x", "535"}, {"off", "s", "535"},
		{"none", "s", "535"}} {
		conn := w.dial()
		got := dialogue(t, conn, "EHLO x", "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+c.name+"\x00"+c.secret)))
		if err := conn.Close(); err != nil || !strings.HasPrefix(got, c.code) {
			t.Fatalf("%v: %q, %v", c, got, err)
		}
	}
	if err := w.programs.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	uses, err := w.store.Uses(t.Context(), store.UseOfClient)
	if err != nil || len(uses) != 2 {
		t.Fatalf("%v, %v", uses, err)
	}
	for name, want := range map[string]string{"erp": "wrong_secret", "off": "client_disabled"} {
		c, err := w.store.ClientNamed(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if u := uses[c.ID]; u.Code != want || u.RefusedFrom != "127.0.0.1" || u.UsedAt.IsZero() != c.Disabled {
			t.Errorf("%s: %+v", name, u)
		}
	}
}
