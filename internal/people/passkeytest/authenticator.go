// Package passkeytest is an authenticator in software for tests: it answers what a
// browser is asked, with keys on P-256 (ES256), as a phone or a security key does.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// Flags of the authenticator data (WebAuthn Level 3 section 6.1).
const (
	userPresent  = 1 << 0
	userVerified = 1 << 2
	attested     = 1 << 6
)

// An Authenticator has passkeys of one browser at one origin. Its fields may be set to
// have it misbehave.
type Authenticator struct {
	Origin     string
	Unverified bool   // the user was present, but gave neither PIN nor finger
	Counter    uint32 // of the last signature
	Keys       []Key  // the newest last
}

// A Key is one passkey.
type Key struct {
	ID, Handle []byte
	RP         string
	Private    *ecdsa.PrivateKey
}

type options struct {
	PublicKey struct {
		Challenge string `json:"challenge"`
		RP        struct {
			ID string `json:"id"`
		} `json:"rp"`
		RPID string `json:"rpId"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Verification string `json:"userVerification"`
		Selection    struct {
			Verification string `json:"userVerification"`
			Resident     string `json:"residentKey"`
		} `json:"authenticatorSelection"`
		Exclude []struct {
			ID string `json:"id"`
		} `json:"excludeCredentials"`
	} `json:"publicKey"`
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Create makes a passkey, as navigator.credentials.create does, and returns the answer.
func (a *Authenticator) Create(asked json.RawMessage) (json.RawMessage, error) {
	var o options
	if err := json.Unmarshal(asked, &o); err != nil {
		return nil, err
	}
	p := &o.PublicKey
	if p.Selection.Verification != "required" || p.Selection.Resident != "required" {
		return nil, fmt.Errorf("asked for %+v", p.Selection)
	}
	for _, x := range p.Exclude {
		for _, k := range a.Keys {
			if x.ID == text(k.ID) {
				return nil, errors.New("InvalidStateError")
			}
		}
	}
	handle, err := base64.RawURLEncoding.DecodeString(p.User.ID)
	if err != nil {
		return nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := Key{ID: make([]byte, 16), Handle: handle, RP: p.RP.ID, Private: private}
	_, _ = rand.Read(k.ID) // never fails (crypto/rand)
	a.Keys = append(a.Keys, k)
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	// COSE_Key of EC2 on P-256 for ES256 (RFC 9053 section 7.1.1).
	public, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		return nil, err
	}
	data := a.data(k.RP, attested)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(append(data, k.ID...), public...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return nil, err
	}
	client, err := a.client("webauthn.create", p.Challenge)
	if err != nil {
		return nil, err
	}
	return answer(k.ID, map[string]any{"clientDataJSON": text(client), "attestationObject": text(object),
		"transports": []string{"internal"}})
}

// Get signs with the newest passkey, as navigator.credentials.get does, and returns the
// answer.
func (a *Authenticator) Get(asked json.RawMessage) (json.RawMessage, error) {
	var o options
	if err := json.Unmarshal(asked, &o); err != nil {
		return nil, err
	}
	p := &o.PublicKey
	if p.Verification != "required" || len(a.Keys) == 0 {
		return nil, fmt.Errorf("asked for %q of %d keys", p.Verification, len(a.Keys))
	}
	k := a.Keys[len(a.Keys)-1]
	client, err := a.client("webauthn.get", p.Challenge)
	if err != nil {
		return nil, err
	}
	a.Counter++
	data := a.data(p.RPID, 0)
	hash := sha256.Sum256(client)
	signed := sha256.Sum256(append(data, hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.Private, signed[:])
	if err != nil {
		return nil, err
	}
	return answer(k.ID, map[string]any{"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature),
		"userHandle": text(k.Handle)})
}

// data is the authenticator data up to the counter.
func (a *Authenticator) data(rp string, flags byte) []byte {
	if flags |= userPresent; !a.Unverified {
		flags |= userVerified
	}
	hash := sha256.Sum256([]byte(rp))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.Counter)
}

func (a *Authenticator) client(kind, challenge string) ([]byte, error) {
	return json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
}

func answer(id []byte, response map[string]any) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"id": text(id), "rawId": text(id), "type": "public-key", "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{}, "response": response})
}
