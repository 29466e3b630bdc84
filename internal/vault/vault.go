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
	"os"
	"sync"
	"sync/atomic"

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

// A Vault seals and opens. Where its key is in a file, and that file is replaced
// (Rotate), it goes by what the file has from then on. Safe for concurrent use.
type Vault struct {
	origin string
	file   string // empty: the key came from elsewhere
	keys   atomic.Pointer[keys]
	turn   sync.Mutex // of those who read the file again
}

// keys are what a key set has.
type keys struct {
	aead           tink.AEAD
	primary, first uint32
	newest         bool // the primary key is the last one
	known          map[uint32]bool
	from           os.FileInfo // of the file, nil: none
}

func newKeys(h *keyset.Handle, origin string) (*keys, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_kind", "the key in {origin} is of a kind that postino does not use", "origin", origin),
			err)
	}
	p, err := h.Primary()
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.no_primary", "the key set in {origin} has no primary key", "origin", origin), err)
	}
	k := &keys{aead: a, primary: p.KeyID(), known: map[uint32]bool{}}
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, texterr.Wrap(mime.NewText("vault.no_primary", "the key set in {origin} has no primary key", "origin", origin), err)
		}
		k.newest = e.KeyID() == k.primary
		if k.known[e.KeyID()] = true; i == 0 {
			k.first = e.KeyID()
		}
	}
	return k, nil
}

func newVault(h *keyset.Handle, origin string) (*Vault, error) {
	k, err := newKeys(h, origin)
	if err != nil {
		return nil, err
	}
	v := &Vault{origin: origin}
	v.keys.Store(k)
	return v, nil
}

// ID names the holders of this key without telling anything of it: all nodes of
// one gateway have the same one. It stays while a rotation is under way.
func (v *Vault) ID() string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("postino installation 1"), v.keys.Load().first))
	return hex.EncodeToString(sum[:6])
}

// Origin describes where the key comes from; it holds nothing of the key.
func (v *Vault) Origin() string { return v.origin }

// InFile reports that the key is in a file, which Rotate can replace.
func (v *Vault) InFile() bool { return v.file != "" }

// Keys is how many keys it holds: more than one while a rotation is under way.
func (v *Vault) Keys() int { return len(v.current().known) }

// Newest reports that it seals with the newest of its keys: no other one waits for a
// rotation.
func (v *Vault) Newest() bool { return v.current().newest }

// Seal encrypts secret so that Open returns it for the same owner and path alone.
func (v *Vault) Seal(owner, path string, secret adapters.Secret) ([]byte, error) {
	return v.current().aead.Encrypt([]byte(secret.Reveal()), bound(owner, path))
}

// Open decrypts what Seal sealed; ErrWrongKey when it cannot. The cause is left
// out on purpose.
func (v *Vault) Open(owner, path string, sealed []byte) (adapters.Secret, error) {
	k := v.keys.Load()
	if id, ok := keyOf(sealed); ok && !k.known[id] { // sealed by a process that has a newer file
		k = v.current()
	}
	b, err := k.aead.Decrypt(sealed, bound(owner, path))
	if err != nil {
		return "", ErrWrongKey
	}
	return adapters.Secret(b), nil
}

// Stale reports that sealed was made with a key that is not the primary one
// any more: sealing it again finishes a rotation.
func (v *Vault) Stale(sealed []byte) bool {
	id, ok := keyOf(sealed)
	return !ok || id != v.keys.Load().primary
}

// keyOf is the id of the key that sealed: tink's output begins with one version
// byte and that.
func keyOf(sealed []byte) (id uint32, ok bool) {
	if len(sealed) < 5 {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

// current are the keys of the file as it is now. Where it cannot be read, those
// that were read last go on.
func (v *Vault) current() *keys {
	k := v.keys.Load()
	if v.file == "" {
		return k
	}
	info, err := os.Stat(v.file)
	if err != nil || same(k.from, info) {
		return k
	}
	v.turn.Lock()
	defer v.turn.Unlock()
	if k = v.keys.Load(); same(k.from, info) {
		return k
	}
	next, err := fileKeys(v.file)
	if err != nil {
		return k
	}
	v.keys.Store(next)
	return next
}

// same reports that a file was not replaced.
func same(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
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
