package all_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/mime"
)

// A program sends one message with the JSON of a connection. The sandbox stands
// in for the provider here: a real program leaves Options empty.
func Example() {
	provider, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Close()

	sender := all.New(all.Options{RootCAs: provider.CertPool()})
	defer sender.Close()
	conn, err := all.ParseConnection(smtpJSON(provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	from, err := mime.ParseAddress("Contoso ERP <erp@contoso.example>")
	if err != nil {
		fmt.Println(err)
		return
	}
	to, err := mime.ParseAddressList("Niccolò <niccolo@fabrikam.example>, info@fabrikam.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := sender.SendDraft(context.Background(), conn, &mime.Draft{
		From:    from,
		To:      to,
		Subject: "Fattura n. 42",
		HTML:    "<p>In allegato la fattura.</p>", // the text alternative is made from it
	})
	fmt.Println(receipt.Provider, receipt.Status, err)
	// Output: smtp 250 <nil>
}

// A connection is JSON; what is wrong in it is told field by field, before
// anything touches the network.
func ExampleParseConnection() {
	_, err := all.ParseConnection([]byte(`{"name": "Ufficio", "provider": "graph", "from": "erp@contoso.example",
		"graph": {"tenant": "common", "client_id": "3c9d8a52"}}`))
	fmt.Println(err)
	// Output:
	// graph.client_secret: give exactly one credential: client_secret, certificate, certificate_file, federated_token_file or managed_identity
	// graph.tenant: "common" makes no sense for an app-only token: give the tenant's own id
}

// smtpJSON is the file that a person writes.
func smtpJSON(provider *sandbox.Sandbox) []byte {
	c := provider.SMTPConnection("erp@contoso.example")
	set := fallback.SettingsOf(c)
	doc, err := json.Marshal(map[string]any{"name": c.Name, "provider": "smtp", "from": c.From, "smtp": map[string]any{
		"host": set.Host, "port": set.Port, "encryption": set.Encryption, "login": set.Login, "password": set.Password.Reveal()}})
	if err != nil {
		fmt.Println(err)
	}
	return doc
}
