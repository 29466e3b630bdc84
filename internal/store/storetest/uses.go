package storetest

import (
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

func testUses(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	c, err := s.PutClient(ctx, store.Client{Name: "erp"})
	must(t, err)
	k, err := s.PutAPIKey(ctx, store.APIKey{Client: c.ID, Name: "k", Hash: "h"})
	must(t, err)
	other, err := s.PutAPIKey(ctx, store.APIKey{Name: "k2", Hash: "h2"})
	must(t, err)
	reason := mime.Text{Code: "programs.wrong_secret", English: "the secret was wrong"}
	must(t, s.SawUses(ctx, []store.Use{{Kind: store.UseOfClient, Subject: c.ID, UsedAt: after(10), UsedFrom: "192.0.2.1", UsedBy: "smtp"},
		{Kind: store.UseOfKey, Subject: k.ID, RefusedAt: after(5), Code: "key_expired", Reason: reason},
		{Kind: store.UseOfKey, Subject: other.ID, RefusedAt: after(5), Code: "key_expired"},
		{Kind: store.UseOfClient, Subject: "gone", UsedAt: after(10)}}))
	must(t, s.SawUses(ctx, []store.Use{{Kind: store.UseOfClient, Subject: c.ID, UsedAt: after(8), UsedFrom: "late", RefusedAt: after(9),
		RefusedFrom: "192.0.2.9", RefusedBy: "smtp", Code: "wrong_secret", Reason: reason}}))
	got, err := s.Uses(ctx, store.UseOfClient)
	must(t, err)
	u := got[c.ID]
	want(t, "of clients that exist", len(got), 1)
	want(t, "used", u.UsedAt, after(10))
	want(t, "from", u.UsedFrom, "192.0.2.1")
	want(t, "refused", u.RefusedAt, after(9))
	want(t, "why", u.Code+" "+u.Reason.String(), "wrong_secret the secret was wrong")
	got, err = s.Uses(ctx, store.UseOfKey, k.ID, "unknown")
	must(t, err)
	want(t, "of these keys", len(got), 1)
	want(t, "of this key", got[k.ID].Code, "key_expired")
	must(t, s.DeleteClient(ctx, c.ID))
	got, err = s.Uses(ctx, store.UseOfKey)
	must(t, err)
	want(t, "of a client that was deleted", len(got), 1)
	must(t, s.DeleteAPIKey(ctx, other.ID))
	got, err = s.Uses(ctx, store.UseOfKey)
	must(t, err)
	want(t, "of a key that was deleted", len(got), 0)
	got, err = s.Uses(ctx, store.UseOfClient)
	must(t, err)
	want(t, "none is left", len(got), 0)
}
