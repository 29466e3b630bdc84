// Package people is who signs in: persons, their sessions, invitations and
// passkeys. What a person may do is decided where they do it (internal/api).
//
// A page signs people in with one Service for the whole server:
//
//   - /setup/{token}: Invited tells for whom the link is (no ID: it makes the first
//     administrator, who gives an address too). Accept stores what they choose, name,
//     language, and a password, a passkey or both, and signs them in.
//   - /login: SignIn by address and password, or BeginSignIn and SignInByPasskey.
//   - With each request: BySession tells the person of the cookie; End signs out.
//   - Their own things: ChangePassword, BeginPasskey and FinishPasskey, RenamePasskey,
//     RemovePasskey, Sessions, End. What gives a new way to sign in wants a Proof.
//
// A passkey takes two calls. Begin... returns a PasskeyRequest: its Options go to
// navigator.credentials by way of PublicKeyCredential.parseCreationOptionsFromJSON or
// parseRequestOptionsFromJSON (of its member publicKey); the toJSON of the browser's
// answer goes to the second call. They work at PasskeyOrigin alone. By the API the calls
// are POST /v1/sign-in/passkey/begin and /v1/sign-in/passkey, /v1/me/passkeys/begin and
// /v1/me/passkeys, /v1/invitations/passkey and /v1/invitations/accept.
//
// Errors that are a *FieldError stand beside their field; the others have a text too
// (texterr.In). Callers bound how often one address may try.
package people

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// How long things live.
const (
	SessionIdle    = 12 * time.Hour     // a session that is not used ends
	SessionLife    = 7 * 24 * time.Hour // a session ends in any case
	InvitationLife = 24 * time.Hour
	ProofLife      = 15 * time.Minute // how long a sign-in proves that it is the person
	seenEvery      = time.Minute      // how often the use of a session is written down
)

// Prefixes of the tokens, so that one that was found is known for what it is.
const (
	sessionPrefix    = "ps_"
	invitationPrefix = "pi_"
)

// Bounds of a password, in bytes of UTF-8 (NIST SP 800-63B section 3.1.1.2 asks for
// length and against rules of composition).
const (
	PasswordMin = 12
	PasswordMax = 200
)

// ErrRefused is returned where the address and the password do not fit, the person is disabled, or
// there is none. Which of these it is is never told.
var ErrRefused = texterr.New(mime.NewText("people.refused", "no person has this address and password"))

// ErrDisabled is returned where a person is invited who is disabled.
var ErrDisabled = texterr.New(mime.NewText("people.invite_disabled", "this person is disabled: enable them first"))

// ErrProve is returned where someone without a password changes what they sign in with
// long after they signed in.
var ErrProve = texterr.New(mime.NewText("people.prove", "you signed in a while ago: sign in again before you change this"))

// ErrPasskeyRefused is returned where a passkey does not sign in.
var ErrPasskeyRefused = texterr.New(mime.NewText("people.passkey_refused",
	"this passkey does not sign in here: try another one, or your password"))

// ErrLastCredential is returned where a person could not sign in any more.
var ErrLastCredential = texterr.New(mime.NewText("people.last_credential",
	"this passkey is all that you can sign in with: choose a password or add another passkey first"))

// ErrNoPasskeys is returned where the server has no address at which browsers have passkeys.
var ErrNoPasskeys = texterr.New(mime.NewText("people.no_passkeys", "passkeys need a name and TLS: set public_url under [http] to the "+
	"address of this server, such as https://mail.example.com; on the machine itself http://localhost does"))

// ErrEnded is returned where the session, invitation or ceremony has ended, was used, or never was.
var ErrEnded = texterr.New(mime.NewText("people.ended", "this link or session has ended or was used already: ask for a new one"))

// Options of a Service; zero fields take the defaults.
type Options struct {
	Store interface {
		store.People
		OnChange(f func())
	}
	External  External         // how people sign in by an identity provider
	PublicURL func() string    // at which browsers reach the server, for passkeys; nil: none
	Hasher    *vault.Hasher    // nil: one of its own
	Now       func() time.Time // time.Now
	Log       *slog.Logger     // nil: silent
}

// A Service signs people in. Safe for concurrent use.
type Service struct {
	store     store.People
	external  External
	publicURL func() string
	hasher    *vault.Hasher
	now       func() time.Time
	log       *slog.Logger
	copies    copies
}

// New makes a Service.
func New(o Options) *Service {
	s := &Service{store: o.Store, external: o.External, publicURL: o.PublicURL, hasher: o.Hasher, now: o.Now, log: o.Log}
	if s.publicURL == nil {
		s.publicURL = func() string { return "" }
	}
	if s.hasher == nil {
		s.hasher = vault.NewHasher(2)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.copies.init(o.Store)
	return s
}

// From is where a person signs in.
type From struct {
	Address string // IP address; empty: this machine
	Program string // User-Agent
	Via     string // how, for the audit trail: store.ViaPage; empty: store.ViaAPI
}

// A SignedIn person has a new session; Token is what the browser shows from now on.
type SignedIn struct {
	Person  *store.Person
	Session *store.Session
	Token   adapters.Secret
}

// actor is the person as the audit trail names them where no one is known yet.
func actor(ctx context.Context, p *store.Person, from From, now time.Time) context.Context {
	a := store.ActorOf(ctx)
	if a.Kind != store.ActorGateway {
		return ctx
	}
	via := store.ViaAPI
	if from.Via != "" {
		via = from.Via
	}
	return store.WithActor(ctx, store.Actor{Kind: store.ActorPerson, ID: p.ID, Person: p.ID, Name: p.Email, Via: via,
		Address: from.Address, Program: from.Program, At: now})
}

// SignIn checks address and password and begins a session. ErrRefused takes as
// long for an address that no person has as for a wrong password.
func (s *Service) SignIn(ctx context.Context, email string, password adapters.Secret, from From) (*SignedIn, error) {
	if password == "" || len(password) > PasswordMax {
		return nil, ErrRefused
	}
	p, err := s.store.PersonByEmail(ctx, email)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && p.PasswordHash == "":
		if err := s.hasher.Waste(ctx, password); err != nil {
			return nil, err
		}
		return nil, ErrRefused
	case err != nil:
		return nil, err
	}
	fits, err := s.hasher.Verify(ctx, p.PasswordHash, password)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		s.log.Error("the password of a person cannot be checked", "person", p.ID, "err", err)
		return nil, ErrRefused
	}
	if !fits || p.Disabled {
		return nil, ErrRefused
	}
	return s.Begin(ctx, p, from)
}

// Begin begins a session of a person who has proved who they are. ErrRefused: they
// were disabled, or their password was changed, since.
func (s *Service) Begin(ctx context.Context, p *store.Person, from From) (*SignedIn, error) {
	return s.begins(ctx, p, from, func(now *store.Person) bool { return now.PasswordHash == p.PasswordHash })
}

// begins is Begin where still reports whether what was shown is good now.
func (s *Service) begins(ctx context.Context, p *store.Person, from From, still func(*store.Person) bool) (*SignedIn, error) {
	now := store.Micro(s.now())
	token := vault.NewKey(sessionPrefix)
	session, err := s.store.PutSession(actor(ctx, p, from, now), store.Session{Person: p.ID, Hash: vault.HashKey(token), CreatedAt: now,
		SeenAt: now, IdleUntil: now.Add(SessionIdle), ExpiresAt: now.Add(SessionLife), Address: from.Address, Program: clip(from.Program)})
	if err != nil {
		return nil, err
	}
	s.copies.forget()
	// A change of the password ends the sessions that it sees, and waits for this
	// one to be stored, or this one waited for it.
	if p, err = s.unchanged(ctx, p.ID, still); err != nil {
		if ended := s.store.DeleteSession(ctx, session.ID); ended != nil && !errors.Is(ended, store.ErrNotFound) {
			err = errors.Join(err, ended)
		}
		return nil, err
	}
	return &SignedIn{Person: p, Session: session, Token: token}, nil
}

// unchanged returns the person as they are now, when they may still sign in with
// what they have shown.
func (s *Service) unchanged(ctx context.Context, id string, still func(*store.Person) bool) (*store.Person, error) {
	now, err := s.store.Person(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (now.Disabled || !still(now)) {
		return nil, ErrRefused
	}
	return now, err
}

// clip bounds what a browser says of itself.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// BySession returns the person and the session of a token; ErrEnded when it is
// none. The use is noted, so that the session does not end while it is used.
func (s *Service) BySession(ctx context.Context, token adapters.Secret) (*store.Person, *store.Session, error) {
	if !strings.HasPrefix(token.Reveal(), sessionPrefix) {
		return nil, nil, ErrEnded
	}
	now := s.now()
	session, err := s.copies.session(ctx, vault.HashKey(token), now)
	if errors.Is(err, store.ErrNotFound) || err == nil && session.Ended(now) {
		return nil, nil, ErrEnded
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := s.Active(ctx, session.Person)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, ErrEnded
	}
	if err != nil {
		return nil, nil, err
	}
	if now.Sub(session.SeenAt) >= seenEvery && !s.seen(ctx, session, now) {
		return nil, nil, ErrEnded
	}
	return p, session, nil
}

// seen notes the use of a session; false: it has just ended.
func (s *Service) seen(ctx context.Context, session *store.Session, now time.Time) bool {
	session.SeenAt, session.IdleUntil = store.Micro(now), store.Micro(now.Add(SessionIdle))
	s.copies.used(session)
	switch err := s.store.TouchSession(ctx, session.ID, session.SeenAt, session.IdleUntil); {
	case errors.Is(err, store.ErrNotFound):
		s.copies.ended(session.Hash)
		return false
	case err != nil:
		s.log.Warn("the use of a session was not noted", "person", session.Person, "err", err)
	}
	return true
}

// Active returns a person who is not disabled; store.ErrNotFound: there is none.
func (s *Service) Active(ctx context.Context, id string) (*store.Person, error) {
	p, err := s.copies.person(ctx, id)
	if err == nil && p.Disabled {
		return nil, store.ErrNotFound
	}
	return p, err
}

// Forget makes edits of people and sessions by this process count at once.
func (s *Service) Forget() { s.copies.forget() }
