package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// What a browser has begun is good once and in its time; the use of a passkey is no
// edit, and two uses at once are told apart.
func testCeremonies(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	begin := func(hash string, until time.Time) {
		t.Helper()
		_, err := s.PutCeremony(ctx, store.Ceremony{Hash: hash, Purpose: "sign-in", Person: "p", Data: json.RawMessage(`{"a":1}`),
			CreatedAt: t0(), ExpiresAt: until})
		must(t, err)
	}
	begin("h1", after(60))
	_, err := s.PutCeremony(ctx, store.Ceremony{Hash: "h1", Data: json.RawMessage(`{}`)})
	wantErr(t, "the hash is taken", err, store.ErrExists)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			c, err := s.TakeCeremony(ctx, after(1), "h1")
			if errs[i] = err; err == nil && (c.Person != "p" || c.Purpose != "sign-in" || string(c.Data) != `{"a":1}`) {
				t.Errorf("taken: %+v", c)
			}
		})
	}
	wg.Wait()
	good := 0
	for _, err := range errs {
		if err == nil {
			good++
		} else {
			wantErr(t, "taken by another", err, store.ErrNotFound)
		}
	}
	want(t, fmt.Sprint("taken ", errs), good, 1)
	begin("h2", after(60))
	_, err = s.TakeCeremony(ctx, after(60), "h2")
	wantErr(t, "too late", err, store.ErrNotFound)
	begin("h3", after(60))
	n, err := s.PurgePeople(ctx, after(61))
	must(t, err)
	want(t, "purged", n, 1)

	p := admin("anna@contoso.it")
	p.Passkeys = []store.Passkey{{ID: "k1", Name: "laptop", Credential: json.RawMessage(`{"n":1}`)},
		{ID: "k2", Name: "phone", Credential: json.RawMessage(`{}`)}}
	a, err := s.PutPerson(ctx, p)
	must(t, err)
	v, err := s.PeopleVersion(ctx)
	must(t, err)
	used := a.Passkeys[0]
	used.Credential, used.LastUsedAt = json.RawMessage(`{"n":2}`), t0()
	must(t, s.TouchPasskey(ctx, a.ID, a.Passkeys[0], used))
	wantErr(t, "used at once", s.TouchPasskey(ctx, a.ID, a.Passkeys[0], used), store.ErrConflict)
	wantErr(t, "of no one", s.TouchPasskey(ctx, "x", a.Passkeys[0], used), store.ErrNotFound)
	got, err := s.Person(ctx, a.ID)
	must(t, err)
	k := &got.Passkeys[0]
	want(t, "noted", string(k.Credential) == `{"n":2}` && k.LastUsedAt.Equal(t0()) && got.Revision == a.Revision, true)
	now, err := s.PeopleVersion(ctx)
	must(t, err)
	want(t, "a use is no edit", now, v)

	// Another name ends no session; a passkey that is gone ends them.
	open := func() int {
		t.Helper()
		all, err := s.Sessions(ctx, a.ID)
		must(t, err)
		return len(all)
	}
	_, err = s.PutSession(ctx, store.Session{Person: a.ID, Hash: "s", CreatedAt: t0(), IdleUntil: after(60), ExpiresAt: after(60)})
	must(t, err)
	got.Passkeys[1].Name = "old phone"
	got, err = s.PutPerson(ctx, *got)
	must(t, err)
	want(t, "sessions after a new name", open(), 1)
	gone := got.Passkeys[1]
	got.Passkeys = got.Passkeys[:1]
	_, err = s.PutPerson(ctx, *got)
	must(t, err)
	want(t, "sessions without the passkey", open(), 0)
	wantErr(t, "use of one that is gone", s.TouchPasskey(ctx, a.ID, gone, gone), store.ErrNotFound)
}
