package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/oidc"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

const purposeOIDC = "sign in by a provider"

// browserPrefix tells the token that binds a sign-in to its browser from others.
const browserPrefix = "po_"

// Errors of a sign-in by an identity provider.
var (
	ErrNoProvider = texterr.New(mime.NewText("people.no_provider",
		"this server has no identity provider: see [http.oidc] in its configuration"))
	ErrProvider = texterr.New(mime.NewText("people.provider_silent",
		"the identity provider does not answer as it should: try again, or sign in with your password"))
	ErrProviderRefused = texterr.New(mime.NewText("people.provider_refused",
		"the sign-in at the identity provider is not good here: begin again"))
	ErrNotVerified = texterr.New(mime.NewText("people.provider_unverified",
		"the identity provider does not confirm that the email address is yours: sign in with your password once, and link your account "+
			"under Settings"))
	ErrNoPerson = texterr.New(mime.NewText("people.provider_no_person",
		"there is no person here with the address that the identity provider names: ask an administrator of this server for an invitation"))
	ErrTaken       = store.ErrAccountTaken
	ErrLastAccount = texterr.New(mime.NewText("people.last_account",
		"this account is all that you can sign in with: choose a password or add a passkey first"))
	ErrOtherAccount = texterr.New(mime.NewText("people.provider_other_account",
		"your address belongs here to another account of the identity provider: ask an administrator of this server"))
)

// An IdentityProvider is an oidc.Provider.
type IdentityProvider interface {
	AuthURL(ctx context.Context, state, nonce, verifier string) (string, error)
	Redeem(ctx context.Context, code, nonce, verifier string) (*oidc.Identity, error)
}

// External is how people sign in by an identity provider.
type External struct {
	Provider IdentityProvider // nil: they do not
	Issuer   string           // of the provider
	// CreateRole is the role of a person who is made at their first sign-in; empty: none
	// is made. Only addresses of Domains (mime.Mailbox.Domain) make one.
	CreateRole store.Role
	Domains    []string
}

// An ExternalRequest is where a browser is sent, and the token that it must show when it
// comes back: no one finishes a sign-in that another browser began.
type ExternalRequest struct {
	URL     string
	Browser adapters.Secret
}

// begunOIDC is what the answer is compared with.
type begunOIDC struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE; good for one code
	Browser  string `json:"browser"`  // hash of the token
	Session  string `json:"session"`  // id, of the person who links their account; empty: someone signs in
	Next     string `json:"next"`
}

// BeginExternal begins a sign-in by the identity provider; next is given back at its end.
// It writes a row: callers bound how often one address may ask.
func (s *Service) BeginExternal(ctx context.Context, next string) (*ExternalRequest, error) {
	return s.beginExternal(ctx, "", "", next)
}

// BeginLink begins to link the account at the identity provider with the person, whom it
// signs in from then on; SignInExternal ends it. ErrRefused and ErrProve: as the Proof says.
func (s *Service) BeginLink(ctx context.Context, by Proof, next string) (*ExternalRequest, error) {
	p, err := s.store.Person(ctx, by.Person)
	if err != nil {
		return nil, err
	}
	if err := s.prove(ctx, p, by); err != nil {
		return nil, err
	}
	if by.Session == nil {
		return nil, ErrProve
	}
	return s.beginExternal(ctx, p.ID, by.Session.ID, next)
}

func (s *Service) beginExternal(ctx context.Context, person, session, next string) (*ExternalRequest, error) {
	if s.external.Provider == nil {
		return nil, ErrNoProvider
	}
	state, nonce, browser := vault.NewKey(""), vault.NewKey(""), vault.NewKey(browserPrefix)
	b := begunOIDC{Nonce: nonce.Reveal(), Verifier: oauth2.GenerateVerifier(), Browser: vault.HashKey(browser),
		Session: session, Next: next}
	url, err := s.external.Provider.AuthURL(ctx, state.Reveal(), b.Nonce, b.Verifier)
	if err != nil {
		s.log.Warn("the identity provider cannot be asked", "err", err)
		return nil, ErrProvider
	}
	life := 2 * ceremonyLife // people type a password and a code there
	if _, err := s.putCeremony(ctx, state, purposeOIDC, person, life, b); err != nil {
		return nil, err
	}
	return &ExternalRequest{URL: url, Browser: browser}, nil
}

// SignInExternal begins a session of the person whom the identity provider names, and
// returns what BeginExternal or BeginLink was given as next. ErrEnded: state is of no
// sign-in that this browser began, or was used.
func (s *Service) SignInExternal(ctx context.Context, state, code string, browser adapters.Secret, from From) (in *SignedIn, next string,
	err error) {
	if s.external.Provider == nil {
		return nil, "", ErrNoProvider
	}
	c, err := s.takeCeremony(ctx, adapters.Secret(state), purposeOIDC)
	if err != nil {
		return nil, "", err
	}
	var b begunOIDC
	if err := json.Unmarshal(c.Data, &b); err != nil {
		return nil, "", err
	}
	if !strings.HasPrefix(browser.Reveal(), browserPrefix) || b.Browser != vault.HashKey(browser) {
		return nil, "", ErrEnded
	}
	id, err := s.external.Provider.Redeem(ctx, code, b.Nonce, b.Verifier)
	if err != nil {
		s.log.Warn("a sign-in by the identity provider failed", "err", err)
		if errors.Is(err, oidc.ErrRefused) {
			return nil, "", ErrProviderRefused
		}
		return nil, "", ErrProvider
	}
	var p *store.Person
	if c.Person != "" {
		p, err = s.link(ctx, c.Person, b.Session, id, from)
	} else {
		p, err = s.ofIdentity(ctx, id, from)
	}
	if err != nil {
		s.log.Info("someone whom the identity provider names was not signed in", "subject", id.Subject, "err", err)
		return nil, "", err
	}
	in, err = s.begins(ctx, p, from, func(now *store.Person) bool { return linked(now, id) })
	return in, b.Next, err
}

// linked reports whether an identity is the person's.
func linked(p *store.Person, id *oidc.Identity) bool {
	return p.Account == store.Account{Issuer: id.Issuer, Subject: id.Subject}
}

// linkedHere reports whether the person can sign in by the provider of the configuration.
func (s *Service) linkedHere(p *store.Person) bool {
	return s.external.Provider != nil && p.Account.Issuer == s.external.Issuer
}

// byIdentity finds the person with whom an identity is linked; nil: there is none.
func byIdentity(all []store.Person, id *oidc.Identity) *store.Person {
	i := slices.IndexFunc(all, func(p store.Person) bool { return linked(&p, id) })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// ofIdentity finds the person of an identity: by its subject where it is linked, else by an
// address that the provider has verified, to which it is linked then. Where the
// configuration says so, a person is made.
func (s *Service) ofIdentity(ctx context.Context, id *oidc.Identity, from From) (*store.Person, error) {
	all, err := s.store.People(ctx)
	if err != nil {
		return nil, err
	}
	p := byIdentity(all, id)
	if p == nil {
		if id.Email.IsZero() {
			return nil, ErrNotVerified
		}
		if i := slices.IndexFunc(all, func(p store.Person) bool { return hasAddress(&p, id.Email) }); i >= 0 {
			p = &all[i]
		}
	}
	switch {
	case p == nil && len(all) == 0 && s.external.CreateRole != store.RoleAdmin:
		return nil, ErrNoPerson // the link of the first start makes an administrator, and ends with the first person
	case p == nil:
		return s.create(ctx, id, from)
	case p.Disabled:
		return nil, ErrNoPerson
	case linked(p, id):
		return p, nil
	case p.Account.Issuer == id.Issuer:
		return nil, ErrOtherAccount // an address that someone else has now
	}
	return s.setAccount(ctx, p, id, from)
}

// hasAddress compares without regard to case in ASCII alone: another letter that folds to
// the same one may be another mailbox.
func hasAddress(p *store.Person, email mime.Mailbox) bool {
	own, err := mime.ParseMailbox(p.Email)
	return err == nil && (own == email || own.IsASCII() && email.IsASCII() && own.Folded() == email.Folded())
}

// link links an identity with the person who asked for it in a session, and ends that: a
// new one begins.
func (s *Service) link(ctx context.Context, person, session string, id *oidc.Identity, from From) (*store.Person, error) {
	all, err := s.store.People(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(p store.Person) bool { return p.ID == person })
	if i < 0 {
		return nil, ErrEnded
	}
	if other := byIdentity(all, id); other != nil && other.ID != person {
		return nil, ErrTaken
	}
	switch err := s.End(ctx, person, session); {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrEnded
	case err != nil:
		return nil, err
	}
	return s.setAccount(ctx, &all[i], id, from)
}

func (s *Service) setAccount(ctx context.Context, p *store.Person, id *oidc.Identity, from From) (*store.Person, error) {
	p.Account, p.ChangedAt = store.Account{Issuer: id.Issuer, Subject: id.Subject}, store.Micro(s.now())
	return s.edited(s.store.PutPerson(actor(ctx, p, from, p.ChangedAt), *p))
}

// Unlink removes the account from p, for Change: it signs them in no more, and their
// sessions end. ErrLastAccount: they could not sign in any more.
func Unlink(p *store.Person) error {
	if p.PasswordHash == "" && len(p.Passkeys) == 0 {
		return ErrLastAccount
	}
	p.Account = store.Account{}
	return nil
}

// create makes the person of an identity.
func (s *Service) create(ctx context.Context, id *oidc.Identity, from From) (*store.Person, error) {
	if s.external.CreateRole == "" || !slices.Contains(s.external.Domains, id.Email.Domain()) {
		return nil, ErrNoPerson
	}
	now := store.Micro(s.now())
	p := store.Person{Email: id.Email.String(), Name: clip(id.Name), Role: s.external.CreateRole, CreatedAt: now, ChangedAt: now,
		Account: store.Account{Issuer: id.Issuer, Subject: id.Subject}}
	if err := check(&p); err != nil {
		return nil, fmt.Errorf("the person of an identity: %w", err)
	}
	return s.edited(s.store.PutPerson(actor(ctx, &p, from, now), p))
}
