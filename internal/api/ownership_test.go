package api

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
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
