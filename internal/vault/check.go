package vault

import (
	"encoding/base64"
	"fmt"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// The check word is sealed in the store, so that a process with another key sees
// it before it seals anything.
const (
	checkOwner = "store"
	checkPath  = "key_check"
	checkWord  = adapters.Secret("postino")
)

// ErrOtherKey means that the store's secrets are sealed with a key that this process does
// not have.
var ErrOtherKey = texterr.New(mime.NewText("vault.other_key", "the store was made with another key"))

// CheckWord returns the check word sealed, as text.
func (v *Vault) CheckWord() (string, error) {
	b, err := v.Seal(checkOwner, checkPath, checkWord)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// Check opens a word that CheckWord returned; ErrOtherKey. stale reports that it
// should be sealed again, with the primary key of now.
func (v *Vault) Check(word string) (stale bool, err error) {
	b, err := base64.StdEncoding.DecodeString(word)
	if err == nil {
		var open adapters.Secret
		if open, err = v.Open(checkOwner, checkPath, b); err == nil && open == checkWord {
			return v.Stale(b), nil
		}
	}
	return false, fmt.Errorf("%w than the one in %s", ErrOtherKey, v.origin)
}
