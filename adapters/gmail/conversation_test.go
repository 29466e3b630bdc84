package gmail_test

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

// TestConversationNoted: a multipart and a resumable upload are noted without token and
// without the address of the session.
func TestConversationNoted(t *testing.T) {
	t.Parallel()
	_, a := start(t, nil)
	for _, size := range []int64{2_000, 6_000_000} {
		said := &adapters.Conversation{}
		_, err := a.Send(adapters.WithConversation(t.Context(), said), sized(t, size))
		s := said.String()
		if err != nil || !strings.Contains(s, "POST http") || !strings.Contains(s, "-> 200") {
			t.Errorf("%v\n%s", err, s)
		}
		for _, bad := range []string{"ya29.", "Bearer", "?", "upload_id"} {
			if strings.Contains(s, bad) {
				t.Errorf("%q is noted:\n%s", bad, s)
			}
		}
	}
}
