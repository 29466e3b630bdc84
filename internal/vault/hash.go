package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Argon2id with 19 MiB and two passes (OWASP Password Storage Cheat Sheet;
// RFC 9106 section 4 describes the trade).
const (
	argonTime   = 2
	argonMemory = 19 << 10 // KiB
	argonLanes  = 1
	argonSize   = 32
	saltSize    = 16
)

var keyText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewKey makes a random secret of 256 bits, its text led by prefix, such as "pk_".
func NewKey(prefix string) adapters.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return adapters.Secret(prefix + keyText.EncodeToString(b))
}

// NewClientSecret makes the secret of a client: 85 random bits in 20 characters,
// which is as much as many scanners and printers take as an SMTP password.
func NewClientSecret() adapters.Secret {
	const prefix, length = "pc_", 20
	b := make([]byte, 11)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return adapters.Secret((prefix + keyText.EncodeToString(b))[:length])
}

// HashKey is the digest of a secret that NewKey or NewClientSecret made, in hex: the
// same for the same key, so that a record is found by it. A slow hash would protect
// nothing: 85 random bits cannot be guessed.
func HashKey(key adapters.Secret) string {
	sum := sha256.Sum256([]byte(key.Reveal()))
	return hex.EncodeToString(sum[:])
}

const (
	keyPrefix   = "$sha256$"
	argonPrefix = "$argon2id$v=19$"
)

// HashGenerated is HashKey in the form that Verify reads.
func HashGenerated(key adapters.Secret) string { return keyPrefix + HashKey(key) }

// A Hasher hashes and recognises secrets that people choose. It keeps at most
// a few slow computations going at once, each of 19 MiB, and remembers which
// secret fitted which hash, so that a client that authenticates for each
// message costs one of them. Safe for concurrent use.
type Hasher struct {
	slots  chan struct{}
	pepper [32]byte // of what is remembered
	mu     sync.Mutex
	known  map[[sha256.Size]byte]struct{}
}

// knownMax bounds what a Hasher remembers.
const knownMax = 4096

// NewHasher allows so many slow computations at once (at least one).
func NewHasher(parallel int) *Hasher {
	h := &Hasher{slots: make(chan struct{}, max(1, parallel)), known: map[[sha256.Size]byte]struct{}{}}
	_, _ = rand.Read(h.pepper[:])
	return h
}

// Hash returns the text to be stored for a secret that a person chose, in the PHC
// string format.
func (h *Hasher) Hash(ctx context.Context, secret adapters.Secret) (string, error) {
	if secret == "" {
		return "", texterr.New(mime.NewText("vault.empty_secret", "an empty secret protects nothing: choose one"))
	}
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt)
	sum, err := h.slow(ctx, secret, salt, argonTime, argonMemory, argonLanes, argonSize)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", argonPrefix, argonMemory, argonTime, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
}

// slow waits for its turn while ctx lasts; the error is that of ctx.
func (h *Hasher) slow(ctx context.Context, secret adapters.Secret, salt []byte, time, memory uint32, lanes uint8, size uint32) ([]byte,
	error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(secret.Reveal()), salt, time, memory, lanes, size), nil
}

// Verify reports whether secret is the one that hash was made of, by Hash or
// HashGenerated. An error is that of ctx, or means that hash itself is not
// readable.
func (h *Hasher) Verify(ctx context.Context, hash string, secret adapters.Secret) (bool, error) {
	if digest, ok := strings.CutPrefix(hash, keyPrefix); ok {
		if subtle.ConstantTimeCompare([]byte(digest), []byte(HashKey(secret))) == 1 {
			return true, nil
		}
		return false, h.Waste(ctx, secret) // a "no" takes as long for every name: see Waste
	}
	p, err := parseArgon(hash)
	if err != nil {
		if ended := h.Waste(ctx, secret); ended != nil {
			return false, ended
		}
		return false, err
	}
	mark := h.mark(hash, secret)
	h.mu.Lock()
	_, known := h.known[mark]
	h.mu.Unlock()
	if known {
		return true, nil
	}
	sum, err := h.slow(ctx, secret, p.salt, p.time, p.memory, p.lanes, uint32(len(p.sum)))
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(sum, p.sum) != 1 {
		return false, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) >= knownMax {
		clear(h.known)
	}
	h.known[mark] = struct{}{}
	return true, nil
}

// Waste takes as long as Verify with a wrong secret, of whatever kind the stored
// hash is: for a name that does not exist, so that the answer's time tells
// neither that nor who has a secret that a person chose. The error is that of ctx.
func (h *Hasher) Waste(ctx context.Context, secret adapters.Secret) error {
	_, err := h.slow(ctx, secret, make([]byte, saltSize), argonTime, argonMemory, argonLanes, argonSize)
	return err
}

// mark is what is remembered of a pair that fitted: keyed, so that memory that
// leaks does not allow guessing faster than the hash does.
func (h *Hasher) mark(hash string, secret adapters.Secret) [sha256.Size]byte {
	m := hmac.New(sha256.New, h.pepper[:])
	m.Write([]byte(hash))
	m.Write([]byte{0})
	m.Write([]byte(secret.Reveal()))
	return [sha256.Size]byte(m.Sum(nil))
}

type argonHash struct {
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

// Bounds on what a stored hash may ask for.
const (
	argonMaxMemory = 1 << 20 // KiB
	argonMaxTime   = 64
)

func parseArgon(s string) (p argonHash, err error) {
	bad := texterr.New(mime.NewText("vault.bad_hash", "the stored hash of the secret cannot be read: set the secret again"))
	rest, ok := strings.CutPrefix(s, argonPrefix)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return p, bad
	}
	if _, err := fmt.Sscanf(parts[0], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil {
		return p, bad
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[1]); err != nil {
		return p, bad
	}
	if p.sum, err = base64.RawStdEncoding.DecodeString(parts[2]); err != nil {
		return p, bad
	}
	if p.memory < 8 || p.memory > argonMaxMemory || p.time < 1 || p.time > argonMaxTime || p.lanes < 1 || len(p.salt) < 8 ||
		len(p.sum) < 16 || len(p.sum) > 64 {
		return p, bad
	}
	return p, nil
}
