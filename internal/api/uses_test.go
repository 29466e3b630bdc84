package api

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
)

// When clients and keys were used and refused the last time stands in their records.
func TestUses(t *testing.T) {
	t.Parallel()
	var seen *programs.Recorder
	w := newWorld(t, func(o *Options) {
		seen = programs.New(o.Store, slog.New(slog.DiscardHandler))
		o.Programs = seen
	}, func(o *submit.Options) { o.Programs = programs.New(o.Store, slog.New(slog.DiscardHandler)) })
	show := func(lang string) (c view.Client) {
		t.Helper()
		w.must(seen.Flush(context.Background()))
		w.want(w.do(w.admin, "GET", "/v1/clients/erp", nil, "Accept-Language", lang), 200).into(t, &c)
		return c
	}
	if c := show("en"); !c.LastUsedAt.IsZero() || c.LastRefusal != nil {
		t.Errorf("%+v", c)
	}
	basic := func(secret string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("erp:"+secret)) }
	w.want(w.do("", "GET", "/v1/messages", nil, "Authorization", basic("pc_secret")), 200)
	w.want(w.do("", "GET", "/v1/messages", nil, "Authorization", basic("guessed")), 401)
	c := show("it")
	if c.LastUsedAt.IsZero() || c.LastUsedFrom != "127.0.0.1" || c.LastRefusal == nil || c.LastRefusal.Code != "wrong_secret" ||
		c.LastRefusal.Reason != "il segreto era sbagliato" || c.LastRefusal.EntryPoint != "api" {
		t.Errorf("%+v %+v", c, c.LastRefusal)
	}

	expired := vault.NewKey("pk_")
	_, err := w.store.PutAPIKey(context.Background(), store.APIKey{Name: "old", Hash: vault.HashKey(expired), Scopes: []string{ScopeAdmin},
		ExpiresAt: time.Now().Add(-time.Minute)})
	w.must(err)
	w.want(w.do(expired.Reveal(), "GET", "/v1/messages", nil), 401)
	w.want(w.do(w.key, "GET", "/v1/connections", nil), 403)
	w.must(seen.Flush(context.Background()))
	var keys KeyList
	w.want(w.do(w.admin, "GET", "/v1/keys", nil), 200).into(t, &keys)
	codes := map[string]string{}
	for _, k := range keys.Items {
		if k.LastRefusal != nil {
			name, _, _ := strings.Cut(k.Name, " ")
			codes[name] = k.LastRefusal.Code
		}
	}
	if len(codes) != 2 || codes["old"] != "key_expired" || codes["test"] != "forbidden" {
		t.Errorf("%v", codes)
	}
}
