package graph_test

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
)

// TestConversationNoted: small and large messages, and a refusal, are noted by address and
// status; tokens, secrets and upload addresses are not.
func TestConversationNoted(t *testing.T) {
	t.Parallel()
	sb, a := start(t, nil)
	for i, size := range []int64{10_000, 5_000_000, 10_000} {
		if i == 2 {
			sb.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Times: 1, Status: 403, Code: "ErrorSendAsDenied"})
		}
		said := &adapters.Conversation{}
		_, err := a.Send(adapters.WithConversation(t.Context(), said), withFile(t, size))
		s := said.String()
		if (err != nil) != (i == 2) || !strings.Contains(s, "POST http") || i == 2 != strings.Contains(s, "-> 403") {
			t.Errorf("%v\n%s", err, s)
		}
		for _, bad := range []string{sandbox.ClientSecret, "Bearer", "eyJ", "?", "token="} {
			if strings.Contains(s, bad) {
				t.Errorf("%q is noted:\n%s", bad, s)
			}
		}
		if i < 2 && strings.Count(s, "\n") > 40 {
			t.Error(s)
		}
	}
}
