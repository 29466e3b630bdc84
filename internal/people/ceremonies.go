package people

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// ceremonyLife is how long a browser has to answer.
const ceremonyLife = 5 * time.Minute

// What a ceremony is for: an answer is good for nothing else.
const (
	purposeSignIn  = "sign in"
	purposeAdd     = "add passkey"
	purposeInvited = "invited passkey"
)

// begun is what an answer is compared with.
type begun struct {
	Session    webauthn.SessionData `json:"session"`
	Invitation string               `json:"invitation,omitempty"` // hash of the link's token
}

// A holder is a person as the library sees them.
type holder struct {
	person *store.Person
	handle []byte
}

func (h *holder) WebAuthnID() []byte   { return h.handle }
func (h *holder) WebAuthnName() string { return h.person.Email }
func (h *holder) WebAuthnDisplayName() string {
	if h.person.Name != "" {
		return h.person.Name
	}
	return h.person.Email
}

func (h *holder) WebAuthnCredentials() (out []webauthn.Credential) {
	for i := range h.person.Passkeys {
		var c webauthn.Credential
		if json.Unmarshal(h.person.Passkeys[i].Credential, &c) == nil { // one that cannot be read signs no one in
			out = append(out, c)
		}
	}
	return out
}

// relyingParty is this server as browsers know it (WebAuthn Level 3 section 5.1.2):
// passkeys are for a name and not for an address, and for TLS or this machine alone.
func (s *Service) relyingParty() (*webauthn.WebAuthn, error) {
	u, err := url.Parse(s.publicURL())
	if err != nil || u.Host == "" {
		return nil, ErrNoPasskeys
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err == nil && a.IsLoopback() {
		host, u.Host = "localhost", net.JoinHostPort("localhost", u.Port())
		if u.Port() == "" {
			u.Host = host
		}
	}
	if u.Scheme != "https" && host != "localhost" || protocol.ValidateRPID(host) != nil {
		return nil, ErrNoPasskeys
	}
	patience := webauthn.TimeoutConfig{Timeout: ceremonyLife, TimeoutUVD: ceremonyLife} // kept by the store's clock
	required := true
	return webauthn.New(&webauthn.Config{RPID: host, RPDisplayName: "postino", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{RequireResidentKey: &required,
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
		Timeouts: webauthn.TimeoutsConfig{Login: patience, Registration: patience}})
}

// beginPasskey asks for a passkey of p; one who is not stored yet gets a random handle.
func (s *Service) beginPasskey(ctx context.Context, purpose string, p *store.Person, invitation string) (*PasskeyRequest, error) {
	w, err := s.relyingParty()
	if err != nil {
		return nil, err
	}
	h := &holder{person: p, handle: []byte(p.ID)}
	if p.ID == "" {
		h.handle = make([]byte, 32)
		_, _ = rand.Read(h.handle) // never fails (crypto/rand)
	}
	var had []protocol.CredentialDescriptor
	for _, c := range h.WebAuthnCredentials() {
		had = append(had, c.Descriptor())
	}
	options, session, err := w.BeginRegistration(h, webauthn.WithExclusions(had))
	if err != nil {
		return nil, err
	}
	return s.begin(ctx, purpose, p.ID, options, begun{*session, invitation})
}

// begin stores what the answer will be compared with.
func (s *Service) begin(ctx context.Context, purpose, person string, options any, b begun) (*PasskeyRequest, error) {
	asked, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	c, err := s.putCeremony(ctx, adapters.Secret(b.Session.Challenge), purpose, person, ceremonyLife, b)
	if err != nil {
		return nil, err
	}
	return &PasskeyRequest{Options: asked, ExpiresAt: c.ExpiresAt}, nil
}

// take returns what a challenge was for, once. ErrEnded: it was for something else, for
// someone else, or is good no more.
func (s *Service) take(ctx context.Context, challenge, purpose, person string) (*begun, error) {
	c, err := s.takeCeremony(ctx, adapters.Secret(challenge), purpose)
	if err != nil {
		return nil, err
	}
	if c.Person != person {
		return nil, ErrEnded
	}
	b := new(begun)
	return b, json.Unmarshal(c.Data, b)
}

// putCeremony stores what the answer that shows a secret will be compared with.
func (s *Service) putCeremony(ctx context.Context, shown adapters.Secret, purpose, person string, life time.Duration, b any) (
	*store.Ceremony, error) {
	data, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	now := store.Micro(s.now())
	return s.store.PutCeremony(ctx, store.Ceremony{Hash: vault.HashKey(shown), Purpose: purpose, Person: person, Data: data,
		CreatedAt: now, ExpiresAt: now.Add(life)})
}

// takeCeremony returns what was stored for a secret, once. ErrEnded: it was for something
// else, or is good no more.
func (s *Service) takeCeremony(ctx context.Context, shown adapters.Secret, purpose string) (*store.Ceremony, error) {
	c, err := s.store.TakeCeremony(ctx, s.now(), vault.HashKey(shown))
	if errors.Is(err, store.ErrNotFound) || err == nil && c.Purpose != purpose {
		return nil, ErrEnded
	}
	return c, err
}

// finishPasskey adds the passkey of a browser's answer to p.
func (s *Service) finishPasskey(ctx context.Context, purpose string, p *store.Person, invitation, name string,
	answer json.RawMessage) error {
	refused := func(err error) error {
		s.log.Info("a new passkey was refused", "person", p.ID, "err", refusedPasskey(err))
		return &FieldError{"passkey", mime.NewText("people.passkey_not_added",
			"the passkey was not accepted: try again, or use another device")}
	}
	w, err := s.relyingParty()
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return refused(err)
	}
	b, err := s.take(ctx, parsed.Response.CollectedClientData.Challenge, purpose, p.ID)
	if err == nil && b.Invitation != invitation {
		err = ErrEnded
	}
	if err != nil {
		return err
	}
	c, err := w.CreateCredential(&holder{person: p, handle: b.Session.UserID}, b.Session, parsed)
	if err != nil {
		return refused(err)
	}
	c.Attestation = webauthn.CredentialAttestation{} // who made the device is none of our business
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	k := store.Passkey{ID: base64.RawURLEncoding.EncodeToString(c.ID), Name: name, Credential: doc, CreatedAt: store.Micro(s.now())}
	if p.ID == "" {
		k.Handle = base64.RawURLEncoding.EncodeToString(b.Session.UserID)
	}
	if err := s.unused(ctx, k.ID); err != nil {
		return err
	}
	return addPasskey(p, k)
}

// unused refuses a passkey that someone has already (WebAuthn Level 3 section 7.1,
// step 26).
func (s *Service) unused(ctx context.Context, id string) error {
	all, err := s.store.People(ctx)
	for i := range all {
		if passkeyOf(&all[i], id) != nil {
			return &FieldError{"passkey", mime.NewText("people.passkey_taken", "this passkey is registered already")}
		}
	}
	return err
}
