package api

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/tokens/credential"
)

// ownSMTP is the document of a connection of an operator's, with changes.
func ownSMTP(change map[string]any) map[string]any {
	doc := map[string]any{"name": "Nuova", "provider": "smtp", "from": "nuova@own.example",
		"smtp": map[string]any{"host": "smtp.own.example", "login": "nuova", "password": "p"}}
	for k, v := range change {
		doc[k] = v
	}
	return doc
}

// edit changes a stored connection past the API.
func (w *world) edit(c *gateway.Connection, change func(*gateway.Connection)) {
	w.t.Helper()
	next := c.Clone()
	change(next)
	_, err := w.store.PutConnection(context.Background(), time.Now(), next)
	w.must(err)
	w.server.connections.Invalidate()
}

// Mail of others goes by names: an operator takes none, and leaves none.
func TestOperatorTakesNoNameOfAChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.WatchConnection = "Avvisi" })
	op := w.person("op@own.example", store.RoleOperator)
	w.connection("Mia", "mia@own.example", op.ID)
	cookie := w.signIn(op.Email)
	w.edit(w.connection("Altra", "altra@else.example", ""), func(c *gateway.Connection) { c.Fallback = []string{"Riserva", "MIA"} })
	for _, name := range []string{"riserva", "AVVISI"} {
		w.want(w.as(cookie, "POST", "/v1/connections", ownSMTP(map[string]any{"name": name})), http.StatusForbidden)
		w.want(w.as(cookie, "POST", "/v1/connections/Mia/duplicate", map[string]any{"name": name}), http.StatusForbidden)
		w.want(w.as(cookie, "PATCH", "/v1/connections/Mia", map[string]any{"name": name}), http.StatusForbidden)
	}
	w.want(w.as(cookie, "DELETE", "/v1/connections/Mia", nil), http.StatusForbidden)
	w.want(w.as(cookie, "PATCH", "/v1/connections/Mia", map[string]any{"name": "Sua"}), http.StatusForbidden)
	w.want(w.as(cookie, "PATCH", "/v1/connections/Mia", map[string]any{"display_name": "x"}), http.StatusOK)
	w.want(w.as(cookie, "POST", "/v1/connections", ownSMTP(map[string]any{"fallback": []string{"Mia"}})), http.StatusCreated)
	w.want(w.as(cookie, "PATCH", "/v1/connections/Nuova", map[string]any{"name": "Terza"}), http.StatusOK)
	w.want(w.as(cookie, "DELETE", "/v1/connections/Terza", nil), http.StatusNoContent)
}

func graphTo(name, from, mailbox, owner string) *gateway.Connection {
	return &gateway.Connection{Policy: gateway.Policy{Owner: owner}, Connection: adapters.Connection{Name: name, Provider: adapters.Graph,
		From: from, Settings: &graph.Settings{Mailbox: mailbox, Entra: credential.Entra{Tenant: "t", ClientID: "c", ClientSecret: "s"}}}}
}

// An operator sends through no mailbox of another's connection, however it is named.
func TestOperatorTakesNoMailbox(t *testing.T) {
	t.Parallel()
	theirs := []*gateway.Connection{graphTo("A", "anna@contoso.it", "", ""), graphTo("B", "*@fabrikam.it", "", ""),
		smtpTo("C", "c@else.example", "")}
	for what, c := range map[string]struct {
		old, next *gateway.Connection
		refused   string
	}{
		"its mailbox":           {nil, graphTo("N", "n@own.example", "Anna@contoso.it", "op"), "graph.mailbox"},
		"one of its pattern":    {nil, graphTo("N", "n@own.example", "carla@fabrikam.it", "op"), "graph.mailbox"},
		"its login":             {nil, smtpTo("N", "n@own.example", "op"), "smtp.login"},
		"another mailbox":       {nil, graphTo("N", "n@own.example", "n@contoso.it", "op"), ""},
		"shared before":         {smtpTo("N", "n@own.example", "op"), smtpTo("N", "m@own.example", "op"), ""},
		"shared before, moving": {smtpTo("N", "n@own.example", "op"), graphTo("N", "n@own.example", "anna@contoso.it", "op"), "graph.mailbox"},
	} {
		err := apartFrom(theirs, "op", c.old, c.next)
		var f *failure
		if errors.As(err, &f); (err != nil) != (c.refused != "") || err != nil && (f.field != c.refused || f.status != http.StatusForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w := newWorld(t, nil)
	op := w.person("op@own.example", store.RoleOperator)
	w.want(w.as(w.signIn(op.Email), "POST", "/v1/connections", ownSMTP(map[string]any{"smtp": map[string]any{"host": "smtp.contoso.it",
		"login": "erp", "password": "p"}})), http.StatusForbidden)
}

// Mail that clients send, and that the default sends, is not an operator's to take.
func TestOperatorTakesNoMailOfClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op := w.person("op@own.example", store.RoleOperator)
	w.connection("Mia", "mia@own.example", op.ID)
	cookie := w.signIn(op.Email)
	client := *w.client
	client.Senders = []string{"erp@shop.example", "*@news.example", "*@own.example"}
	_, err := w.store.PutClient(context.Background(), client)
	w.must(err)
	try := func(change map[string]any, status int) {
		t.Helper()
		w.want(w.as(cookie, "POST", "/v1/connections", ownSMTP(change)), status)
		if status == http.StatusCreated {
			w.want(w.as(cookie, "DELETE", "/v1/connections/Nuova", nil), http.StatusNoContent)
		}
	}
	for _, from := range []string{"erp@shop.example", "*@shop.example", "x@news.example"} {
		try(map[string]any{"from": from}, http.StatusForbidden)
		try(map[string]any{"aliases": []string{from}}, http.StatusForbidden)
	}
	try(map[string]any{"from": "x@shop.example"}, http.StatusForbidden) // plain SMTP: the whole domain
	try(map[string]any{"aliases": []string{"x@shop.example"}}, http.StatusCreated)
	for _, from := range []string{"*@own.example", "altra@own.example", "*@free.example"} {
		try(map[string]any{"from": from}, http.StatusCreated)
	}
	w.edit(w.connection("Tutto", "tutto@else.example", ""), func(c *gateway.Connection) { c.Default = gateway.DefaultUnrouted })
	for _, from := range []string{"*@free.example", "x@free.example"} {
		try(map[string]any{"from": from}, http.StatusForbidden)
	}
	for _, from := range []string{"*@own.example", "altra@own.example"} {
		try(map[string]any{"from": from}, http.StatusCreated)
	}
	try(map[string]any{"aliases": []string{"x@free.example"}}, http.StatusCreated)
}
