package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

func admin(email string) store.Person {
	return store.Person{Name: "Anna", Email: email, Role: store.RoleAdmin, PasswordHash: "argon2id", Language: "it",
		Filters:   []store.SavedFilter{{Name: "Fatture", Query: "fattura state:failed", Shared: true}},
		CreatedAt: t0(), ChangedAt: t0()}
}

// An account at an identity provider is one person's: of two links at one moment one counts.
func testAccounts(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	account := store.Account{Issuer: "https://login.example.com", Subject: "s-1"}
	one, err := s.PutPerson(ctx, store.Person{Email: "one@contoso.it", Role: store.RoleOperator})
	must(t, err)
	two, err := s.PutPerson(ctx, store.Person{Email: "two@contoso.it", Role: store.RoleOperator})
	must(t, err)
	var both sync.WaitGroup
	linked := make([]error, 2)
	for i, p := range []*store.Person{one, two} {
		p.Account = account
		both.Go(func() { _, linked[i] = s.PutPerson(ctx, *p) })
	}
	both.Wait()
	want(t, "one of two links", (linked[0] == nil) != (linked[1] == nil), true)
	wantErr(t, "the other link", errors.Join(linked...), store.ErrAccountTaken)
	_, err = s.PutPerson(ctx, store.Person{Email: "three@contoso.it", Role: store.RoleOperator, Account: account})
	wantErr(t, "a new person with the account of another", err, store.ErrAccountTaken)
	holder, err := s.PersonByEmail(ctx, map[bool]string{true: "one@contoso.it", false: "two@contoso.it"}[linked[0] == nil])
	must(t, err)
	holder.Name = "Uno"
	_, err = s.PutPerson(ctx, *holder)
	must(t, err)
}

func testPeople(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	v0, err := s.PeopleVersion(ctx)
	must(t, err)
	a, err := s.PutPerson(ctx, admin("Anna@contoso.it"))
	must(t, err)
	v1, err := s.PeopleVersion(ctx)
	must(t, err)
	want(t, "version", v1 > v0, true)
	got, err := s.PersonByEmail(ctx, "ANNA@contoso.it")
	must(t, err)
	want(t, "by address", fmt.Sprint(*got), fmt.Sprint(*a))
	_, err = s.PersonByEmail(ctx, "x\x00\xff@contoso.it")
	wantErr(t, "an address with any bytes", err, store.ErrNotFound)
	_, err = s.PutPerson(ctx, admin("anna@CONTOSO.it"))
	wantErr(t, "same address", err, store.ErrExists)
	owned := smtpConnection("Ufficio")
	owned.Owner = "ANNA@contoso.it"
	owned, err = s.PutConnection(ctx, t0(), owned)
	must(t, err)
	want(t, "an owner by address", owned.Owner, a.ID)
	orphan := smtpConnection("Magazzino")
	orphan.Owner = "no-one@contoso.it"
	_, err = s.PutConnection(ctx, t0(), orphan)
	want(t, "an owner who is no person", errors.As(err, new(*adapters.InvalidError)), true)
	stale := *a
	a.Name = "Anna Rossi"
	a, err = s.PutPerson(ctx, *a)
	must(t, err)
	_, err = s.PutPerson(ctx, stale)
	wantErr(t, "stale", err, store.ErrConflict)
	_, err = s.Person(ctx, "none")
	wantErr(t, "no such person", err, store.ErrNotFound)

	// The last active administrator stays one.
	invited, err := s.PutPerson(ctx, store.Person{Email: "new@contoso.it", Role: store.RoleAdmin})
	must(t, err)
	for what, change := range map[string]func(*store.Person){
		"disabled": func(p *store.Person) { p.Disabled = true }, "demoted": func(p *store.Person) { p.Role = store.RoleOperator },
		"without a credential": func(p *store.Person) { p.PasswordHash = "" },
	} {
		p := *a
		change(&p)
		_, err = s.PutPerson(ctx, p)
		wantErr(t, what, err, store.ErrLastAdmin)
	}
	wantErr(t, "removed", s.DeletePerson(ctx, a.ID), store.ErrLastAdmin)
	must(t, s.DeletePerson(ctx, invited.ID))
	b, err := s.PutPerson(ctx, admin("bruno@contoso.it"))
	must(t, err)
	all, err := s.People(ctx)
	must(t, err)
	want(t, "all, by address", len(all) == 2 && all[0].ID == a.ID && all[1].ID == b.ID, true)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, p := range []store.Person{*a, *b} { // of two at once one remains
		wg.Go(func() {
			p.Role = store.RoleOperator
			_, errs[i] = s.PutPerson(ctx, p)
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("two administrators demoted at once: %v", errs)
	}
	s = h.Reopen(t, s)
	all, err = s.People(ctx)
	must(t, err)
	want(t, "kept", len(all), 2)
}

func testSessions(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	a, err := s.PutPerson(ctx, admin("anna@contoso.it"))
	must(t, err)
	b, err := s.PutPerson(ctx, admin("bruno@contoso.it"))
	must(t, err)
	open := func(p *store.Person, hash string, at time.Time) *store.Session {
		t.Helper()
		out, err := s.PutSession(ctx, store.Session{Person: p.ID, Hash: hash, CreatedAt: at, SeenAt: at, IdleUntil: at.Add(time.Hour),
			ExpiresAt: at.Add(24 * time.Hour), Address: "192.0.2.1", Program: "Firefox"})
		must(t, err)
		return out
	}
	count := func(what, person string, n int) {
		t.Helper()
		all, err := s.Sessions(ctx, person)
		must(t, err)
		want(t, what, len(all), n)
	}
	one, two := open(a, "h1", t0()), open(a, "h2", after(1))
	other := open(b, "h3", t0())
	got, err := s.SessionByHash(ctx, "h2")
	must(t, err)
	want(t, "by hash", got.ID, two.ID)
	list, err := s.Sessions(ctx, a.ID)
	must(t, err)
	want(t, "newest first", len(list) == 2 && list[0].ID == two.ID && list[1].ID == one.ID, true)
	v, err := s.PeopleVersion(ctx)
	must(t, err)
	must(t, s.TouchSession(ctx, one.ID, after(60), after(3660)))
	got, err = s.SessionByHash(ctx, "h1")
	must(t, err)
	want(t, "seen", got.SeenAt.Equal(after(60)) && got.IdleUntil.Equal(after(3660)) && got.Revision == one.Revision, true)
	now, err := s.PeopleVersion(ctx)
	must(t, err)
	want(t, "a use is no edit", now, v)
	n, err := s.DeleteSessions(ctx, a.ID, two.ID)
	must(t, err)
	want(t, "all others", n, 1)
	count("one is left", a.ID, 1)
	must(t, s.DeleteSession(ctx, two.ID))
	wantErr(t, "again", s.DeleteSession(ctx, two.ID), store.ErrNotFound)
	wantErr(t, "use of one that ended", s.TouchSession(ctx, two.ID, t0(), t0()), store.ErrNotFound)
	// Another name ends nothing; another password ends all, and so does disabling.
	open(a, "h4", t0())
	a.Name = "Anna Rossi"
	a, err = s.PutPerson(ctx, *a)
	must(t, err)
	count("another name", a.ID, 1)
	a.PasswordHash = "another"
	a, err = s.PutPerson(ctx, *a)
	must(t, err)
	count("another password", a.ID, 0)
	open(a, "h6", t0())
	a.Account = store.Account{Issuer: "https://login.example.com", Subject: "s"}
	a, err = s.PutPerson(ctx, *a)
	must(t, err)
	count("an account is linked", a.ID, 1)
	a.Account = store.Account{}
	a, err = s.PutPerson(ctx, *a)
	must(t, err)
	count("it is unlinked", a.ID, 0)
	open(a, "h5", t0())
	_, err = s.PutInvitation(ctx, store.Invitation{Person: a.ID, Hash: "i", ExpiresAt: after(10)})
	must(t, err)
	key, err := s.PutAPIKey(ctx, store.APIKey{Person: a.ID, Name: "k", Hash: "kh"})
	must(t, err)
	a.Disabled = true
	a, err = s.PutPerson(ctx, *a)
	must(t, err)
	count("disabled", a.ID, 0)
	_, err = s.InvitationByHash(ctx, "i")
	wantErr(t, "the invitation of a disabled person", err, store.ErrNotFound)
	count("of another", b.ID, 1)
	// A person goes with everything that is theirs.
	clients, err := s.ClientsVersion(ctx)
	must(t, err)
	must(t, s.DeletePerson(ctx, a.ID))
	keys, err := s.APIKeys(ctx, "")
	must(t, err)
	want(t, "their keys", len(keys), 0)
	_, err = s.APIKeyByHash(ctx, key.Hash)
	wantErr(t, "their key", err, store.ErrNotFound)
	later, err := s.ClientsVersion(ctx)
	must(t, err)
	want(t, "caches of keys hear of it", later > clients, true)
	// What has ended by itself is removed in silence.
	page, err := s.AuditEntries(ctx, store.AuditRequest{Limit: 1})
	must(t, err)
	removed, err := s.PurgePeople(ctx, after(3600))
	must(t, err)
	want(t, "removed", removed, 1)
	_, err = s.SessionByHash(ctx, other.Hash)
	wantErr(t, "ended", err, store.ErrNotFound)
	again, err := s.AuditEntries(ctx, store.AuditRequest{Limit: 1})
	must(t, err)
	want(t, "no entry", again.Entries[0].Seq, page.Entries[0].Seq)
}

func testInvitations(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	put := func(person, hash string) {
		t.Helper()
		_, err := s.PutInvitation(ctx, store.Invitation{Person: person, Hash: hash, CreatedAt: t0(), ExpiresAt: after(86400)})
		must(t, err)
	}
	// The first administrator; and only the first.
	put("", "setup-1")
	put("", "setup-2")
	_, err := s.Redeem(ctx, after(1), "setup-1", admin("anna@contoso.it"))
	wantErr(t, "a newer one was made", err, store.ErrNotFound)
	_, err = s.Redeem(ctx, after(86400), "setup-2", admin("anna@contoso.it"))
	wantErr(t, "too late", err, store.ErrNotFound)
	a, err := s.Redeem(ctx, after(86399), "setup-2", admin("anna@contoso.it"))
	must(t, err)
	want(t, "made", a.ID != "" && a.Revision == 1, true)
	_, err = s.Redeem(ctx, after(2), "setup-2", admin("eve@contoso.it"))
	wantErr(t, "twice", err, store.ErrNotFound)
	put("", "setup-3")
	_, err = s.Redeem(ctx, after(2), "setup-3", admin("eve@contoso.it"))
	wantErr(t, "there is one already", err, store.ErrExists)
	// Of a person.
	b, err := s.PutPerson(ctx, store.Person{Email: "bruno@contoso.it", Role: store.RoleOperator})
	must(t, err)
	put(b.ID, "b-1")
	_, err = s.Redeem(ctx, after(1), "b-1", *a)
	wantErr(t, "for another", err, store.ErrNotFound)
	b.PasswordHash = "argon2id"
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs { // good once, however many ask
		wg.Go(func() { _, errs[i] = s.Redeem(ctx, after(1), "b-1", *b) })
	}
	wg.Wait()
	good := 0
	for _, err := range errs {
		if err == nil {
			good++
		}
	}
	want(t, fmt.Sprint("redeemed ", errs), good, 1)
	left, err := s.Invitations(ctx, b.ID)
	must(t, err)
	want(t, "left", len(left), 0)
	all, err := s.Invitations(ctx, "")
	must(t, err)
	want(t, "all", len(all), 1)
}
