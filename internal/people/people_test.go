package people

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
)

const password = adapters.Secret("quattro parole a caso")

// world is a service on a store with a clock of its own.
type world struct {
	*Service
	st  store.Store
	now atomic.Int64 // seconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Server: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() }) // the test has ended
	w := &world{st: st}
	w.now.Store(1_800_000_000)
	w.Service = New(Options{Store: st, Now: w.clock, PublicURL: func() string { return origin }})
	return w
}

func (w *world) clock() time.Time      { return time.Unix(w.now.Load(), 0) }
func (w *world) later(d time.Duration) { w.now.Add(int64(d / time.Second)) }
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) add(t *testing.T, email string) *store.Person {
	t.Helper()
	return must[*store.Person](t)(w.Add(t.Context(), store.Person{Email: email, Role: store.RoleAdmin}, password))
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	anna := w.add(t, "anna@contoso.it")
	begin := func() *SignedIn {
		t.Helper()
		return must[*SignedIn](t)(w.SignIn(ctx, "ANNA@contoso.it", password, From{Address: "192.0.2.1", Program: strings.Repeat("x", 999)}))
	}
	ended := func(what string, token adapters.Secret) {
		t.Helper()
		if _, _, err := w.BySession(ctx, token); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", what, err)
		}
	}
	in := begin()
	if p, s, err := w.BySession(ctx, in.Token); err != nil || p.ID != anna.ID || len(s.Program) > 200 {
		t.Fatal(p, s, err)
	}
	ended("no token", "")
	ended("another kind", "pk_x")
	ended("made up", in.Token+"x")

	for range 14 { // used each half a day it lives, and for a week at most
		w.later(SessionIdle - time.Minute)
		if _, _, err := w.BySession(ctx, in.Token); err != nil && w.clock().Before(in.Session.ExpiresAt) {
			t.Fatalf("used all the time: %v", err)
		}
	}
	w.later(15 * time.Minute)
	ended("after a week", in.Token)
	in = begin()
	w.later(SessionIdle)
	ended("not used", in.Token)

	in = begin()
	must[*store.Person](t)(w.SetPassword(ctx, anna.ID, "cinque parole a caso ancora"))
	ended("another password", in.Token)
	if _, err := w.SignIn(ctx, anna.Email, password, From{}); !errors.Is(err, ErrRefused) {
		t.Errorf("the old password: %v", err)
	}
	w.add(t, "bruno@contoso.it")
	in = must[*SignedIn](t)(w.SignIn(ctx, anna.Email, "cinque parole a caso ancora", From{}))
	must[*store.Person](t)(w.Change(ctx, anna.ID, func(p *store.Person) error { p.Disabled = true; return nil }))
	ended("disabled", in.Token)
	if _, err := w.SignIn(ctx, anna.Email, "cinque parole a caso ancora", From{}); !errors.Is(err, ErrRefused) {
		t.Errorf("a disabled person: %v", err)
	}
}

// A session that another process ends, or a person that it disables, is refused
// within 200 milliseconds.
func TestEditsByAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	anna := w.add(t, "anna@contoso.it")
	w.add(t, "bruno@contoso.it")
	in := must[*SignedIn](t)(w.SignIn(ctx, anna.Email, password, From{}))
	if _, _, err := w.BySession(ctx, in.Token); err != nil {
		t.Fatal(err)
	}
	other := *anna // as a command does it: this service hears nothing
	other.Disabled = true
	must[*store.Person](t)(w.st.PutPerson(ctx, other))
	began := time.Now()
	for {
		_, _, err := w.BySession(ctx, in.Token)
		if errors.Is(err, ErrEnded) {
			break
		}
		if err != nil || time.Since(began) > 5*time.Second {
			t.Fatal("still signed in", err)
		}
	}
	t.Logf("refused after %v", time.Since(began))
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	accept := func(token adapters.Secret, a Accepted) error {
		_, err := w.Accept(ctx, token, a, From{})
		return err
	}
	first := must[*Invitation](t)(w.Setup(ctx))
	if got := first.URL("https://mail.contoso.it/"); got != "https://mail.contoso.it/setup/"+first.Token.Reveal() {
		t.Error(got)
	}
	for what, a := range map[string]Accepted{"no address": {Password: password}, "short": {Email: "a@b.it", Password: "short"},
		"none": {Email: "a@b.it"}, "the address": {Email: "a.long.one@b.it", Password: "a.long.one@b.it"},
		"one letter": {Email: "a@b.it", Password: "aaaaaaaaaaaaaaaa"}, "a language": {Email: "a@b.it", Password: password, Language: "xx"}} {
		var f *FieldError
		if err := accept(first.Token, a); !errors.As(err, &f) {
			t.Errorf("%s: %v", what, err)
		}
	}
	in := must[*SignedIn](t)(w.Accept(ctx, first.Token,
		Accepted{Email: "anna@contoso.it", Name: "Anna", Language: "it", Password: password}, From{}))
	if in.Person.Role != store.RoleAdmin || in.Person.Name != "Anna" {
		t.Errorf("%+v", in.Person)
	}
	if err := accept(first.Token, Accepted{Email: "eve@contoso.it", Password: password}); !errors.Is(err, ErrEnded) {
		t.Errorf("twice: %v", err)
	}
	late := must[*Invitation](t)(w.invitation(ctx, "")) // as a start that a command outran left it
	if _, err := w.Invited(ctx, late.Token); !errors.Is(err, ErrEnded) {
		t.Errorf("shown although there is a person: %v", err)
	}
	if i, err := w.Setup(ctx); i != nil || err != nil {
		t.Errorf("a second first administrator: %v, %v", i, err)
	}
	bruno := must[*store.Person](t)(w.Add(ctx, store.Person{Email: "bruno@contoso.it", Role: store.RoleOperator}, ""))
	old := must[*Invitation](t)(w.Invite(ctx, bruno.ID))
	fresh := must[*Invitation](t)(w.Invite(ctx, bruno.ID))
	if err := accept(old.Token, Accepted{Password: password}); !errors.Is(err, ErrEnded) {
		t.Errorf("an older link: %v", err)
	}
	w.later(InvitationLife)
	if err := accept(fresh.Token, Accepted{Password: password}); !errors.Is(err, ErrEnded) {
		t.Errorf("after a day: %v", err)
	}
	fresh = must[*Invitation](t)(w.Invite(ctx, bruno.ID))
	must[*SignedIn](t)(w.Accept(ctx, fresh.Token, Accepted{Email: "eve@contoso.it", Password: password}, From{}))
	if p, err := w.st.Person(ctx, bruno.ID); err != nil || p.Email != "bruno@contoso.it" || p.Role != store.RoleOperator {
		t.Errorf("who is invited chooses a password and nothing else: %+v, %v", p, err)
	}
}

// The answer to an address that no one has takes as long as the one to a wrong
// password: both compute the slow hash once.
func TestSignInTellsNothingByItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(t, "anna@contoso.it")
	must[*store.Person](t)(w.Add(t.Context(), store.Person{Email: "invited@contoso.it", Role: store.RoleAdmin}, ""))
	median := func(email string) time.Duration {
		var took []time.Duration
		for range 9 {
			began := time.Now()
			if _, err := w.SignIn(context.Background(), email, "a wrong password", From{}); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	known, unknown, invited := median("anna@contoso.it"), median("nobody@contoso.it"), median("invited@contoso.it")
	for what, d := range map[string]time.Duration{"unknown": unknown, "without a password": invited} {
		if d*4 < known || known*4 < d { // a look-up alone is a hundredth of it
			t.Errorf("%s: %v, known: %v", what, d, known)
		}
	}
}
