package smtpd

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
)

// Sessions, logins and messages are counted by what came of them.
func TestCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{listeners: []config.Listener{{Networks: []string{"127.0.0.1"}, PlaintextAuth: true, Auth: "required"}},
		clients: []store.Client{{Name: "erp", SecretHash: "s", Senders: []string{"*@contoso.it"}}}})
	login := func(secret string) string {
		return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00erp\x00"+secret))
	}
	for _, lines := range [][]string{{"EHLO x", login("wrong")}, {"EHLO x", login("s"), "MAIL FROM:<other@fabrikam.it>"}} {
		conn := w.dial()
		dialogue(t, conn, lines...)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c := w.server.opt.Counts
	got := fmt.Sprint(c.Sessions.Load(), c.SessionsRefused.Load(), c.Messages.Load(), c.Deferred.Load(), c.Refused.Load(), c.Logins.Load(),
		c.LoginsRefused.Load())
	if want := "2 0 0 0 1 1 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
