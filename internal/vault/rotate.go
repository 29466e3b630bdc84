package vault

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/postino-mail/postino/internal/filelock"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// The key file is replaced as a whole at each step, and has the old keys until
// DropOld: a process that is killed at any moment leaves everything readable.

// Prepare adds a new key to the key set in dir/key.json, with which nothing is sealed
// yet: nodes that have a file of their own get it before anything needs it. A new
// key that waits already is kept.
func Prepare(dir string) error {
	return edit(dir, func(m *keyset.Manager, h *keyset.Handle) error {
		if _, waits, err := next(h); err != nil || waits {
			return err
		}
		_, err := m.Add(aead.AES256GCMKeyTemplate())
		return err
	})
}

// Rotate makes the key that Prepare added the primary one, or a new one. What was
// sealed before still opens; seal it again (Stale), and DropOld removes the old keys.
// Vaults that are open follow.
func Rotate(dir string) error {
	return edit(dir, func(m *keyset.Manager, h *keyset.Handle) error {
		id, waits, err := next(h)
		if err == nil && !waits {
			id, err = m.Add(aead.AES256GCMKeyTemplate())
		}
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

// DropOld removes every key but the primary one: what they sealed is lost.
func DropOld(dir string) error {
	return edit(dir, func(m *keyset.Manager, h *keyset.Handle) error {
		p, err := h.Primary()
		if err != nil {
			return err
		}
		for i := range h.Len() {
			e, err := h.Entry(i)
			if err != nil {
				return err
			}
			if e.KeyID() == p.KeyID() {
				continue
			}
			if err := m.Delete(e.KeyID()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lock is held by whoever changes the keys of a folder; the kernel releases it when
// the process ends.
func Lock(dir string) (io.Closer, error) {
	lock, err := filelock.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	key, err := os.Stat(filepath.Join(dir, FileName))
	if err == nil {
		err = giveTo(lock.Name(), key)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

const lockName = "key.lock"

// Prepared reports that a new key waits in dir/key.json.
func Prepared(dir string) (bool, error) {
	h, err := load(filepath.Join(dir, FileName))
	if err != nil {
		return false, err
	}
	_, waits, err := next(h)
	return waits, err
}

// next is the key that was added last, where it is not the primary one: keys are
// added at the end.
func next(h *keyset.Handle) (id uint32, waits bool, err error) {
	p, err := h.Primary()
	if err != nil {
		return 0, false, err
	}
	last, err := h.Entry(h.Len() - 1)
	if err != nil {
		return 0, false, err
	}
	return last.KeyID(), last.KeyID() != p.KeyID(), nil
}

// edit replaces the key file by a changed one.
func edit(dir string, change func(*keyset.Manager, *keyset.Handle) error) error {
	file := filepath.Join(dir, FileName)
	h, err := load(file)
	if err != nil {
		return err
	}
	failed := mime.NewText("vault.keys_not_changed", "the keys cannot be changed")
	m := keyset.NewManagerFromHandle(h)
	if err := change(m, h); err != nil {
		return texterr.Wrap(failed, err)
	}
	if h, err = m.Handle(); err != nil {
		return texterr.Wrap(failed, err)
	}
	b, err := marshal(h)
	if err != nil {
		return err
	}
	return replace(file, b)
}
