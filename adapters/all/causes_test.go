package all_test

import (
	"errors"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// One cause has one code, whatever the provider calls it.
func TestOneCauseOneCode(t *testing.T) {
	t.Parallel()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	sender := all.New(all.Options{RootCAs: sb.CertPool()})
	t.Cleanup(func() { _ = sender.Close() })
	const from = "erp@contoso.example"
	draft := &mime.Draft{From: mime.Address{Address: mailboxtest.Of(from)},
		To: []mime.Address{{Address: mailboxtest.Of("anna@example.com")}}, Text: "x"}
	for _, c := range []struct {
		fault sandbox.Fault
		code  adapters.Code
		named string
	}{
		{sandbox.Fault{Service: "graph", Op: "sendMail", Status: 403, Code: "ErrorSendAsDenied"}, adapters.CodeSenderRefused,
			"ErrorSendAsDenied"},
		{sandbox.Fault{Service: "smtp", Op: "dot", Reply: "554 5.2.252 SendAsDenied"}, adapters.CodeSenderRefused, "554 5.2.252"},
		{sandbox.Fault{Service: "graph", Op: "sendMail", Status: 429, Code: "ApplicationThrottled"}, adapters.CodeTooManyConnections,
			"ApplicationThrottled"},
		{sandbox.Fault{Service: "smtp", Op: "mail", Reply: "432 4.3.2 Concurrent connections limit exceeded"}, adapters.CodeTooManyConnections,
			"432 4.3.2"},
		{sandbox.Fault{Service: "gmail", Op: "send", Status: 429, Code: "rateLimitExceeded", Message: "Mail sending limit exceeded"},
			adapters.CodeSendingLimit, "rateLimitExceeded"},
		{sandbox.Fault{Service: "smtp", Op: "mail", Reply: "550 5.4.5 Daily user sending limit exceeded"}, adapters.CodeSendingLimit,
			"550 5.4.5"},
		{sandbox.Fault{Service: "graph", Op: "sendMail", Status: 403, Code: "ErrorMessageSubmissionBlocked"}, adapters.CodeSendingLimit,
			"ErrorMessageSubmissionBlocked"},
		{sandbox.Fault{Service: "smtp", Op: "mail", Reply: "599 what is this"}, adapters.CodeSenderRefused, "599"},
	} {
		conn := map[string]*adapters.Connection{"graph": sb.GraphConnection(from), "gmail": sb.GmailConnection(from),
			"smtp": sb.SMTPConnection(from)}[c.fault.Service]
		sb.Reset()
		sb.Inject(c.fault)
		_, err := sender.SendDraft(t.Context(), conn, draft)
		e := adapters.AsError(err)
		if !errors.Is(err, c.code) || e.ProviderCode != c.named || e.ShownCode() != c.named {
			t.Errorf("%+v: code %q, the provider's %q; want %q and %q", c.fault, e.Code, e.ProviderCode, c.code, c.named)
		}
	}
}
