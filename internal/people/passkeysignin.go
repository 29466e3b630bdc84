package people

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/postino-mail/postino/internal/store"
)

// BeginSignIn asks a browser for a passkey of whoever sits there; SignInByPasskey takes
// the answer. It writes a row: callers bound how often one address may ask.
func (s *Service) BeginSignIn(ctx context.Context) (*PasskeyRequest, error) {
	w, err := s.relyingParty()
	if err != nil {
		return nil, err
	}
	options, session, err := w.BeginDiscoverableLogin()
	if err != nil {
		return nil, err
	}
	return s.begin(ctx, purposeSignIn, "", options, begun{Session: *session})
}

// SignInByPasskey begins a session of the person of the passkey that answered.
// ErrPasskeyRefused: it is no one's, was not right, or its person is disabled; which of
// these it is is never told. ErrEnded: it answers nothing that was asked.
func (s *Service) SignInByPasskey(ctx context.Context, answer json.RawMessage, from From) (*SignedIn, error) {
	w, err := s.relyingParty()
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, s.refusePasskey("", err)
	}
	b, err := s.take(ctx, parsed.Response.CollectedClientData.Challenge, purposeSignIn, "")
	if err != nil {
		return nil, err
	}
	p, err := s.byHandle(ctx, parsed.Response.UserHandle, parsed.RawID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, s.refusePasskey("", errors.New("no person has it"))
	}
	if err != nil {
		return nil, err
	}
	c, err := w.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		return &holder{person: p, handle: handle}, nil
	}, b.Session, parsed)
	if err != nil || p.Disabled {
		return nil, s.refusePasskey(p.ID, err)
	}
	return s.signInWith(ctx, p, c, from)
}

// signInWith begins a session of the person of the passkey c that was used.
func (s *Service) signInWith(ctx context.Context, p *store.Person, c *webauthn.Credential, from From) (*SignedIn, error) {
	before := passkeyOf(p, base64.RawURLEncoding.EncodeToString(c.ID))
	if c.Authenticator.CloneWarning {
		// The counter went back: there are two of it (WebAuthn Level 3 section 6.1.1).
		s.log.Warn("a passkey was refused that seems to be a copy: have its person remove it and add another", "person", p.ID,
			"passkey", before.Name)
		return nil, ErrPasskeyRefused
	}
	after := *before
	doc, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	after.Credential, after.LastUsedAt = doc, store.Micro(s.now())
	err = s.store.TouchPasskey(ctx, p.ID, *before, after)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return nil, ErrPasskeyRefused // used at the same moment elsewhere, or removed
	}
	if err != nil {
		return nil, err
	}
	in, err := s.begins(ctx, p, from, func(now *store.Person) bool { return passkeyOf(now, after.ID) != nil })
	if errors.Is(err, ErrRefused) {
		err = ErrPasskeyRefused
	}
	return in, err
}

// byHandle returns the person of a passkey by its own handle and by the store.
func (s *Service) byHandle(ctx context.Context, handle, id []byte) (*store.Person, error) {
	key := base64.RawURLEncoding.EncodeToString(id)
	p, err := s.store.Person(ctx, printable(handle))
	if err == nil {
		if k := passkeyOf(p, key); k != nil && k.Handle == "" {
			return p, nil
		}
		return nil, store.ErrNotFound
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	// The passkey of the first start is older than the id of its person.
	all, err := s.store.People(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if k := passkeyOf(&all[i], key); k != nil && k.Handle == base64.RawURLEncoding.EncodeToString(handle) {
			return &all[i], nil
		}
	}
	return nil, store.ErrNotFound
}

// printable is a handle as it could be an id; empty where it is none.
func printable(handle []byte) string {
	for _, b := range handle {
		if b <= ' ' || b > '~' {
			return ""
		}
	}
	return string(handle)
}

// refusePasskey logs why a passkey was refused, which whoever shows it is not told.
func (s *Service) refusePasskey(person string, err error) error {
	why := "the person is disabled"
	if err != nil {
		why = refusedPasskey(err)
	}
	s.log.Info("a sign-in by passkey was refused", "person", person, "err", why)
	return ErrPasskeyRefused
}
