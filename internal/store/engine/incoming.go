package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postino-mail/postino/internal/filelock"
	"github.com/postino-mail/postino/internal/private"
	"github.com/postino-mail/postino/internal/store"
)

// An Incoming is this process's folder for files that end with their use:
// root/N, with a lock that tells the living from the dead.
type Incoming struct {
	Dir  string
	root string
	lock *os.File
}

const incomingLock = ".lock"

// OpenIncoming makes one in root, and root when it is missing.
func OpenIncoming(root string) (in Incoming, err error) {
	in.root = root
	if err := private.MkdirAll(root); err != nil {
		return in, fmt.Errorf("%w: the spool folder cannot be made: %w", store.ErrUnavailable, err)
	}
	if in.Dir, err = os.MkdirTemp(root, "*"); err != nil {
		return in, fmt.Errorf("%w: the spool folder cannot be written: %w", store.ErrUnavailable, err)
	}
	if in.lock, err = filelock.Lock(filepath.Join(in.Dir, incomingLock)); err != nil {
		return in, fmt.Errorf("%w: the spool folder cannot be locked: %w", store.ErrUnavailable, errors.Join(err, os.RemoveAll(in.Dir)))
	}
	return in, nil
}

// Close removes the folder; of one that was not opened it does nothing.
func (in *Incoming) Close() error {
	if in.lock == nil {
		return nil
	}
	return errors.Join(in.lock.Close(), os.RemoveAll(in.Dir))
}

// Sweep removes the folders of processes that died (their locks are free), and
// returns how many files were in them.
func (in *Incoming) Sweep(ctx context.Context, age time.Duration) (removed int, err error) {
	before := time.Now().Add(-age)
	entries, err := os.ReadDir(in.root)
	if err != nil {
		return 0, fmt.Errorf("%w: the spool folder cannot be read: %w", store.ErrUnavailable, err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		dir := filepath.Join(in.root, e.Name())
		info, err := e.Info()
		if err != nil || dir == filepath.Clean(in.Dir) || info.ModTime().After(before) {
			continue // gone meanwhile, ours, or just being made
		}
		lock, err := filelock.Lock(filepath.Join(dir, incomingLock))
		if err != nil {
			continue // its process lives
		}
		left, err := os.ReadDir(dir)
		if err = errors.Join(err, lock.Close(), os.RemoveAll(dir)); err != nil {
			return removed, fmt.Errorf("%w: a folder of a process that died cannot be removed: %w", store.ErrUnavailable, err)
		}
		removed += max(0, len(left)-1)
	}
	return removed, nil
}
