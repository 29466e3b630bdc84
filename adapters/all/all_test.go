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

// One draft arrives once through each provider, for everyone it names.
func TestSendDraft(t *testing.T) {
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
		To:  []mime.Address{{Address: mailboxtest.Of("anna@example.com")}},
		Bcc: []mime.Address{{Address: mailboxtest.Of("archivio@example.com")}}, Subject: "Prova", Text: "Ciao"}
	for i, conn := range []*adapters.Connection{sb.GraphConnection(from), sb.GmailConnection(from), sb.SMTPConnection(from)} {
		receipt, err := sender.SendDraft(t.Context(), conn, draft)
		if err != nil || receipt.Provider != conn.Provider || len(receipt.Recipients) != 2 {
			t.Errorf("%s: %+v, %v", conn.Provider, receipt, err)
		}
		if got := sb.Deliveries(); len(got) != i+1 {
			t.Errorf("%s: %d deliveries, want %d", conn.Provider, len(got), i+1)
		}
		again, err := sender.Adapter(conn)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := sender.Adapter(conn); err != nil || kept != again {
			t.Errorf("%s: the adapter is made again", conn.Provider)
		}
	}
}

// What cannot be sent says why, and sends nothing.
func TestSendDraftRefuses(t *testing.T) {
	t.Parallel()
	sender := all.New(all.Options{})
	t.Cleanup(func() { _ = sender.Close() })
	conn, err := all.ParseConnection([]byte(`{"name":"x","provider":"smtp","from":"a@example.com","smtp":{"host":"127.0.0.1","port":1,` +
		`"encryption":"none"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, draft := range map[string]*mime.Draft{
		"no_from":       {To: []mime.Address{{Address: mailboxtest.Of("anna@example.com")}}, Text: "x"},
		"no_recipients": {From: mime.Address{Address: mailboxtest.Of("a@example.com")}, Text: "x"},
	} {
		_, err := sender.SendDraft(t.Context(), conn, draft)
		if e := new(mime.Error); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
