package storetest

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// testSuccession: a successor takes everything by which mail is routed, and gives
// it back.
func testSuccession(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	put := func(c *gateway.Connection) *gateway.Connection {
		t.Helper()
		out, err := s.PutConnection(ctx, t0(), c)
		must(t, err)
		return out
	}
	c := smtpConnection("old")
	c.Default, c.Class, c.Aliases, c.Fallback = gateway.DefaultUnrouted, "bulk", []string{"*@contoso.it"}, []string{"x"}
	old := put(c)
	other := smtpConnection("other")
	other.Fallback = []string{"OLD"}
	other = put(other)
	client, err := s.PutClient(ctx, store.Client{Name: "c", Connection: old.ID, Connections: []string{old.ID, other.ID}})
	must(t, err)
	next := smtpConnection("next")
	next.Class = "bulk"
	stale := old.Clone()
	stale.Revision += 7
	_, err = s.Succeed(ctx, t0(), stale, next)
	wantErr(t, "stale", err, store.ErrConflict)
	made, err := s.Succeed(ctx, t0(), old, next)
	must(t, err)
	state := func() string {
		t.Helper()
		var out []string
		for _, id := range []string{old.ID, made.ID, other.ID} {
			c, err := s.Connection(ctx, id)
			must(t, err)
			out = append(out, strings.Join([]string{c.Name, c.From, strings.Join(c.Aliases, "+"), string(c.Default), c.Class,
				strings.Join(c.Fallback, "+")}, " "))
			if c.IsActive() {
				out[len(out)-1] += " active"
			}
		}
		k, err := s.Client(ctx, client.ID)
		must(t, err)
		names := map[string]string{old.ID: "old", made.ID: "next", other.ID: "other"}
		return strings.Join(out, "; ") + "; client " + names[k.Connection] + " " + names[k.Connections[0]] + "+" + names[k.Connections[1]]
	}
	want(t, "succeeded", state(), "old   no  x active; next erp@contoso.it  unrouted bulk old+x active; "+
		"other erp@contoso.it    next active; client next next+other")
	now, err := s.Connection(ctx, old.ID)
	must(t, err)
	again := smtpConnection("third")
	_, err = s.Succeed(ctx, t0(), now, again)
	wantErr(t, "twice", err, store.ErrExists)
	back, err := s.TakeBack(ctx, t0(), old.ID)
	must(t, err)
	want(t, "successor", back.Successor, made.ID)
	want(t, "taken back", state(), "old erp@contoso.it *@contoso.it unrouted bulk x active; next erp@contoso.it  no bulk ; "+
		"other erp@contoso.it    old active; client old old+other")
	_, err = s.TakeBack(ctx, t0(), old.ID)
	wantErr(t, "again", err, store.ErrNotFound)
}
