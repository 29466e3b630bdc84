// Package vault keeps secrets unreadable at rest: it seals the secrets of
// connections and hashes those of clients. The key of a Vault lives outside the
// store; a Hasher keeps only what is needed to recognise a secret.
//
// Sealing is AES-256-GCM of tink with the owner's id and the secret's path as
// associated data: a sealed secret that is copied to another connection, or to
// another field, does not open.
package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ErrWrongKey means that the secret was sealed with a key that this vault does not hold,
// or for another owner or path, or its bytes were changed.
var ErrWrongKey = texterr.New(mime.NewText("vault.wrong_key",
	"the secret was sealed with another key: put the key of that time back (key.json in the data folder, the credential postino-key or "+
		"POSTINO_KEY), or enter the secret again"))

// A Vault seals and opens. Safe for concurrent use.
type Vault struct {
	aead    tink.AEAD
	primary uint32
	origin  string
}

func newVault(h *keyset.Handle, origin string) (*Vault, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_kind", "the key in {origin} is of a kind that postino does not use", "origin", origin),
			err)
	}
	p, err := h.Primary()
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.no_primary", "the key set in {origin} has no primary key", "origin", origin), err)
	}
	return &Vault{aead: a, primary: p.KeyID(), origin: origin}, nil
}

// ID names the holders of this key without telling anything of it: all nodes of
// one gateway have the same one.
func (v *Vault) ID() string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("postino installation 1"), v.primary))
	return hex.EncodeToString(sum[:6])
}

// Origin describes where the key comes from; it holds nothing of the key.
func (v *Vault) Origin() string { return v.origin }

// Seal encrypts secret so that Open returns it for the same owner and path alone.
func (v *Vault) Seal(owner, path string, secret adapters.Secret) ([]byte, error) {
	return v.aead.Encrypt([]byte(secret.Reveal()), bound(owner, path))
}

// Open decrypts what Seal sealed; ErrWrongKey when it cannot. The cause is left
// out on purpose.
func (v *Vault) Open(owner, path string, sealed []byte) (adapters.Secret, error) {
	b, err := v.aead.Decrypt(sealed, bound(owner, path))
	if err != nil {
		return "", ErrWrongKey
	}
	return adapters.Secret(b), nil
}

// Stale reports that sealed was made with a key that is not the primary one
// any more: sealing it again finishes a rotation.
func (v *Vault) Stale(sealed []byte) bool {
	// Tink's output begins with one version byte and the key's id.
	return len(sealed) < 5 || binary.BigEndian.Uint32(sealed[1:5]) != v.primary
}

// bound is the associated data; the lengths keep ("a", "bc") and ("ab", "c") apart.
func bound(owner, path string) []byte {
	b := []byte("postino secret 1")
	for _, s := range []string{owner, path} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// generate makes a key set with one new key, as JSON.
func generate() ([]byte, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_not_generated", "a key cannot be made"), err)
	}
	return marshal(h)
}

func marshal(h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_not_written", "the key cannot be written"), err)
	}
	return append(bytes.TrimSpace(b.Bytes()), '\n'), nil
}

// parse reads a key set. The cause of a failure is left out: it could quote
// the key.
func parse(b []byte, origin string) (*keyset.Handle, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, texterr.New(mime.NewText("vault.not_a_key",
			"what is in {origin} is not a key of postino (a tink key set in JSON): put the right one there, or make one with an empty data folder",
			"origin", origin))
	}
	return h, nil
}
