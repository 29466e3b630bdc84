package people

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people/passkeytest"
	"github.com/postino-mail/postino/internal/store"
)

const origin = "https://mail.contoso.it"

// invited adds a person without a password.
func (w *world) invited(t *testing.T, email string) *store.Person {
	t.Helper()
	return must[*store.Person](t)(w.Add(t.Context(), store.Person{Email: email, Role: store.RoleAdmin}, ""))
}

// signedInNow is the proof of a person without a password.
func (w *world) signedInNow(p *store.Person) Proof {
	return Proof{Person: p.ID, Session: &store.Session{Person: p.ID, CreatedAt: w.clock()}}
}

// withPasskey gives a person without a password a passkey, and returns what holds it.
func (w *world) withPasskey(t *testing.T, p *store.Person) *passkeytest.Authenticator {
	t.Helper()
	a := &passkeytest.Authenticator{Origin: origin}
	asked := must[*PasskeyRequest](t)(w.BeginPasskey(t.Context(), w.signedInNow(p)))
	got := must[*store.Person](t)(w.FinishPasskey(t.Context(), p.ID, "laptop", must[json.RawMessage](t)(a.Create(asked.Options))))
	if len(got.Passkeys) == 0 {
		t.Fatalf("%+v", got)
	}
	return a
}

func (w *world) bySignedIn(t *testing.T, a *passkeytest.Authenticator) (*SignedIn, error) {
	t.Helper()
	asked := must[*PasskeyRequest](t)(w.BeginSignIn(t.Context()))
	return w.SignInByPasskey(t.Context(), must[json.RawMessage](t)(a.Get(asked.Options)), From{})
}

func TestPasskeySignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	anna, bruno := w.invited(t, "anna@contoso.it"), w.invited(t, "bruno@contoso.it")
	w.withPasskey(t, bruno) // the last administrator cannot be disabled
	a := w.withPasskey(t, anna)
	for range 2 {
		in := must[*SignedIn](t)(w.bySignedIn(t, a))
		if p, _, err := w.BySession(ctx, in.Token); err != nil || p.ID != anna.ID || p.Passkeys[0].LastUsedAt.IsZero() {
			t.Errorf("%+v, %v", p, err)
		}
	}
	// The same device has one already, and another one gets another.
	asked := must[*PasskeyRequest](t)(w.BeginPasskey(ctx, w.signedInNow(anna)))
	if _, err := a.Create(asked.Options); err == nil {
		t.Error("a second passkey on one device")
	}
	other := w.withPasskey(t, anna)
	in := must[*SignedIn](t)(w.bySignedIn(t, other))
	p := must[*store.Person](t)(w.RenamePasskey(ctx, anna.ID, in.Person.Passkeys[1].ID, "telefono"))
	if p.Passkeys[0].Name != "laptop" || p.Passkeys[1].Name != "telefono" {
		t.Errorf("%+v", p.Passkeys)
	}
	// One that is removed ends what was begun with it, and signs in no more.
	must[*store.Person](t)(w.RemovePasskey(ctx, anna.ID, p.Passkeys[1].ID))
	if _, _, err := w.BySession(ctx, in.Token); !errors.Is(err, ErrEnded) {
		t.Errorf("the session of a passkey that is gone: %v", err)
	}
	if _, err := w.bySignedIn(t, other); !errors.Is(err, ErrPasskeyRefused) {
		t.Errorf("one that is gone: %v", err)
	}
	must[*SignedIn](t)(w.bySignedIn(t, a))
	must[*store.Person](t)(w.Change(ctx, anna.ID, func(p *store.Person) error { p.Disabled = true; return nil }))
	if _, err := w.bySignedIn(t, a); !errors.Is(err, ErrPasskeyRefused) {
		t.Errorf("of a disabled person: %v", err)
	}
}

// What a passkey must not do (WebAuthn Level 3 section 7.2).
func TestPasskeyIsRefused(t *testing.T) {
	t.Parallel()
	edit := func(t *testing.T, answer json.RawMessage, f func(all, response map[string]any)) json.RawMessage {
		t.Helper()
		var m map[string]any
		if err := json.Unmarshal(answer, &m); err != nil {
			t.Fatal(err)
		}
		f(m, m["response"].(map[string]any))
		return must[json.RawMessage](t)(json.Marshal(m))
	}
	at := func(origin string) func(*world, *passkeytest.Authenticator) {
		return func(_ *world, a *passkeytest.Authenticator) { a.Origin = origin }
	}
	for name, c := range map[string]struct {
		before func(w *world, a *passkeytest.Authenticator)
		answer func(t *testing.T, w *world, a *passkeytest.Authenticator, good, other json.RawMessage) json.RawMessage // nil: the good one
		want   error
	}{
		"good":              {},
		"another origin":    {before: at("https://mail.contoso.it.evil.example"), want: ErrPasskeyRefused},
		"another port":      {before: at(origin + ":8443"), want: ErrPasskeyRefused},
		"without TLS":       {before: at("http://mail.contoso.it"), want: ErrPasskeyRefused},
		"without PIN":       {before: func(_ *world, a *passkeytest.Authenticator) { a.Unverified = true }, want: ErrPasskeyRefused},
		"counter as it was": {before: func(_ *world, a *passkeytest.Authenticator) { a.Counter-- }, want: ErrPasskeyRefused},
		"another key": {before: func(_ *world, a *passkeytest.Authenticator) {
			b := &passkeytest.Authenticator{}
			_, err := b.Create(json.RawMessage(`{"publicKey":{"authenticatorSelection":{"userVerification":"required",
				"residentKey":"required"}}}`))
			if err != nil {
				t.Error(err)
			}
			a.Keys[0].Private = b.Keys[0].Private
		}, want: ErrPasskeyRefused},
		"no one's": {before: func(_ *world, a *passkeytest.Authenticator) { a.Keys[0].ID = []byte("another id of it") },
			want: ErrPasskeyRefused},
		"of another person": {answer: func(t *testing.T, _ *world, _ *passkeytest.Authenticator, good, other json.RawMessage,
		) json.RawMessage {
			var theirs struct{ Response struct{ UserHandle string } }
			if err := json.Unmarshal(other, &theirs); err != nil {
				t.Fatal(err)
			}
			return edit(t, good, func(_, r map[string]any) { r["userHandle"] = theirs.Response.UserHandle })
		}, want: ErrPasskeyRefused},
		"no handle": {answer: func(t *testing.T, _ *world, _ *passkeytest.Authenticator, good, _ json.RawMessage) json.RawMessage {
			return edit(t, good, func(_, r map[string]any) { delete(r, "userHandle") })
		}, want: ErrPasskeyRefused},
		"too late": {before: func(w *world, _ *passkeytest.Authenticator) { w.later(ceremonyLife) }, want: ErrEnded},
		"nothing": {answer: func(*testing.T, *world, *passkeytest.Authenticator, json.RawMessage, json.RawMessage) json.RawMessage {
			return json.RawMessage(`{}`)
		}, want: ErrPasskeyRefused},
		"a new passkey": {answer: func(t *testing.T, w *world, a *passkeytest.Authenticator, _, _ json.RawMessage) json.RawMessage {
			all := must[[]store.Person](t)(w.st.People(t.Context()))
			asked := must[*PasskeyRequest](t)(w.BeginPasskey(t.Context(), w.signedInNow(&all[0])))
			return must[json.RawMessage](t)(a.Get(json.RawMessage(strings.Replace(string(asked.Options), `"publicKey":{`,
				`"publicKey":{"rpId":"mail.contoso.it","userVerification":"required",`, 1))))
		}, want: ErrEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.withPasskey(t, w.invited(t, "anna@contoso.it")), w.withPasskey(t, w.invited(t, "bruno@contoso.it"))
			must[*SignedIn](t)(w.bySignedIn(t, a))
			asked := must[*PasskeyRequest](t)(w.BeginSignIn(t.Context()))
			if c.before != nil {
				c.before(w, a)
			}
			answer := must[json.RawMessage](t)(a.Get(asked.Options))
			if c.answer != nil {
				answer = c.answer(t, w, a, answer, must[json.RawMessage](t)(b.Get(asked.Options)))
			}
			if _, err := w.SignInByPasskey(t.Context(), answer, From{}); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if _, err := w.SignInByPasskey(t.Context(), answer, From{}); err == nil {
				t.Error("an answer is good twice")
			}
		})
	}
}

// A new passkey is only for who has proven that they are its person, and the answer is
// good for who asked.
func TestPasskeyIsNotAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	anna, bruno := w.add(t, "anna@contoso.it"), w.invited(t, "bruno@contoso.it")
	for what, by := range map[string]Proof{"no password": {Person: anna.ID},
		"a wrong one": {Person: anna.ID, Password: "wrong wrong wrong"},
		"a session":   {Person: anna.ID, Session: must[*SignedIn](t)(w.SignIn(ctx, anna.Email, password, From{})).Session}} {
		if _, err := w.BeginPasskey(ctx, by); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	finish := func(what string, person *store.Person, change func(*passkeytest.Authenticator), want any) {
		t.Helper()
		a := &passkeytest.Authenticator{Origin: origin}
		if change != nil {
			change(a)
		}
		asked := must[*PasskeyRequest](t)(w.BeginPasskey(ctx, w.signedInNow(anna)))
		answer := must[json.RawMessage](t)(a.Create(asked.Options))
		var f *FieldError
		switch _, err := w.FinishPasskey(ctx, person.ID, "laptop", answer); {
		case want == nil && err != nil, want == any(ErrEnded) && !errors.Is(err, ErrEnded), want == "field" && !errors.As(err, &f):
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if _, err := w.FinishPasskey(ctx, person.ID, "laptop", answer); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: an answer is good twice: %v", what, err)
		}
	}
	asked := must[*PasskeyRequest](t)(w.BeginPasskey(ctx, Proof{Person: anna.ID, Password: password}))
	a := &passkeytest.Authenticator{Origin: origin}
	must[*store.Person](t)(w.FinishPasskey(ctx, anna.ID, "laptop", must[json.RawMessage](t)(a.Create(asked.Options))))
	anna = w.invited(t, "carla@contoso.it") // each proof by password takes its time
	finish("good", anna, nil, nil)
	finish("of another person", bruno, nil, ErrEnded)
	finish("another origin", anna, func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" }, "field")
	finish("without PIN", anna, func(a *passkeytest.Authenticator) { a.Unverified = true }, "field")
	var f *FieldError
	if _, err := w.FinishPasskey(ctx, anna.ID, "laptop", json.RawMessage(`[]`)); !errors.As(err, &f) {
		t.Errorf("nothing: %v", err)
	}
	if got := must[*store.Person](t)(w.st.Person(ctx, anna.ID)); len(got.Passkeys) != 1 {
		t.Errorf("%d passkeys", len(got.Passkeys))
	}
}

// By a link the first administrator has a passkey and no password. It is all that they
// have, so it stays; what they change needs a sign-in that is fresh.
func TestPasskeyByInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	invite := func(token adapters.Secret, email string, a *passkeytest.Authenticator) json.RawMessage {
		t.Helper()
		return must[json.RawMessage](t)(a.Create(must[*PasskeyRequest](t)(w.BeginInvitedPasskey(ctx, token, email)).Options))
	}
	first := must[*Invitation](t)(w.Setup(ctx))
	a := &passkeytest.Authenticator{Origin: origin}
	var f *FieldError
	if _, err := w.BeginInvitedPasskey(ctx, first.Token, "none"); !errors.As(err, &f) {
		t.Errorf("no address: %v", err)
	}
	if _, err := w.BeginInvitedPasskey(ctx, "pi_made-up", "anna@contoso.it"); !errors.Is(err, ErrEnded) {
		t.Errorf("no link: %v", err)
	}
	in := must[*SignedIn](t)(w.Accept(ctx, first.Token,
		Accepted{Email: "anna@contoso.it", Passkey: invite(first.Token, "anna@contoso.it", a)}, From{}))
	anna := in.Person
	if anna.Role != store.RoleAdmin || anna.PasswordHash != "" || anna.Passkeys[0].Name != "Passkey 1" {
		t.Errorf("%+v", anna)
	}
	again := must[*SignedIn](t)(w.bySignedIn(t, a))
	if again.Person.ID != anna.ID {
		t.Errorf("%+v", again.Person)
	}
	if _, err := w.RemovePasskey(ctx, anna.ID, anna.Passkeys[0].ID); !errors.Is(err, ErrLastCredential) {
		t.Errorf("the last one: %v", err)
	}
	if _, err := w.SignIn(ctx, anna.Email, "", From{}); !errors.Is(err, ErrRefused) {
		t.Errorf("no password: %v", err)
	}
	by := Proof{Person: anna.ID, Session: again.Session}
	must[*PasskeyRequest](t)(w.BeginPasskey(ctx, by))
	w.later(ProofLife + time.Second)
	if _, err := w.BeginPasskey(ctx, by); !errors.Is(err, ErrProve) {
		t.Errorf("later: %v", err)
	}
	if _, err := w.ChangePassword(ctx, by, password); !errors.Is(err, ErrProve) {
		t.Errorf("a password later: %v", err)
	}
	must[*store.Person](t)(w.ChangePassword(ctx, Proof{Person: anna.ID, Session: must[*SignedIn](t)(w.bySignedIn(t, a)).Session}, password))
	must[*store.Person](t)(w.RemovePasskey(ctx, anna.ID, anna.Passkeys[0].ID))

	// Another link is good for its own answers alone.
	bruno := must[*store.Person](t)(w.Add(ctx, store.Person{Email: "bruno@contoso.it", Role: store.RoleOperator}, ""))
	carla := must[*store.Person](t)(w.Add(ctx, store.Person{Email: "carla@contoso.it", Role: store.RoleOperator}, ""))
	b, c := must[*Invitation](t)(w.Invite(ctx, bruno.ID)), must[*Invitation](t)(w.Invite(ctx, carla.ID))
	phone := &passkeytest.Authenticator{Origin: origin}
	if _, err := w.Accept(ctx, c.Token, Accepted{Passkey: invite(b.Token, "", phone)}, From{}); !errors.Is(err, ErrEnded) {
		t.Errorf("of another link: %v", err)
	}
	got := must[*SignedIn](t)(w.Accept(ctx, b.Token, Accepted{Passkey: invite(b.Token, "", &passkeytest.Authenticator{Origin: origin}),
		PasskeyName: "telefono", Password: password}, From{}))
	if got.Person.ID != bruno.ID || got.Person.PasswordHash == "" || got.Person.Passkeys[0].Name != "telefono" {
		t.Errorf("%+v", got.Person)
	}
}

func TestPasskeyOrigin(t *testing.T) {
	t.Parallel()
	st := newWorld(t).st
	for public, want := range map[string]string{
		"https://mail.contoso.it": "https://mail.contoso.it", "https://mail.contoso.it:8443/": "https://mail.contoso.it:8443",
		"http://127.0.0.1:8025": "http://localhost:8025", "http://[::1]:8025": "http://localhost:8025",
		"http://localhost":       "http://localhost",
		"http://mail.contoso.it": "", "https://192.0.2.1": "", "": "", "https://": "", "https://mail..it": "",
	} {
		s := New(Options{Store: st, PublicURL: func() string { return public }})
		var got string
		w, err := s.relyingParty()
		if err == nil {
			got = w.Config.RPOrigins[0]
		}
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrNoPasskeys) {
			t.Errorf("%q: %q, %v, want %q", public, got, err, want)
		}
	}
}

// What a browser sends is read without a panic, and signs no one in.
func FuzzPasskeyAnswer(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA"}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`} {
		f.Add([]byte(seed))
	}
	s := New(Options{Store: noPeople{}, PublicURL: func() string { return origin }})
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := s.SignInByPasskey(t.Context(), answer, From{}); err == nil {
			t.Error("signed in")
		}
		if err := s.finishPasskey(t.Context(), purposeAdd, &store.Person{ID: "p"}, "", "", answer); err == nil {
			t.Error("added")
		}
	})
}

// noPeople is a store in which nothing was begun.
type noPeople struct{ port }

type port = store.People // by another name: it has a method People

func (noPeople) OnChange(func()) {}
func (noPeople) TakeCeremony(context.Context, time.Time, string) (*store.Ceremony, error) {
	return nil, store.ErrNotFound
}
