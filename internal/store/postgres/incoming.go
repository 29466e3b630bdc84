package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postino-mail/postino/internal/filelock"
	"github.com/postino-mail/postino/internal/store"
)

// incoming is this process's folder for files that end with their use:
// root/incoming/N, with a lock that tells the living from the dead.
type incoming struct {
	root, dir string
	lock      *os.File
}

const incomingLock = ".lock"

func openIncoming(data string) (*incoming, error) {
	in := &incoming{root: filepath.Join(data, "incoming")}
	if err := os.MkdirAll(in.root, 0o700); err != nil {
		return nil, fmt.Errorf("%w: the spool folder cannot be made: %w", store.ErrUnavailable, err)
	}
	dir, err := os.MkdirTemp(in.root, "*")
	if err != nil {
		return nil, fmt.Errorf("%w: the spool folder cannot be written: %w", store.ErrUnavailable, err)
	}
	in.dir = dir
	if in.lock, err = filelock.Lock(filepath.Join(dir, incomingLock)); err != nil {
		return nil, fmt.Errorf("%w: the spool folder cannot be locked: %w", store.ErrUnavailable, errors.Join(err, os.RemoveAll(dir)))
	}
	return in, nil
}

func (in *incoming) close() error {
	return errors.Join(in.lock.Close(), os.RemoveAll(in.dir))
}

// SpoolDir implements store.Submitter.
func (s *Store) SpoolDir() string { return s.incoming.dir }

// Sweep implements store.Admin. Bodies are rows of their message's
// transaction; what dead processes leave are local files, and their locks are
// free.
func (s *Store) Sweep(ctx context.Context, age time.Duration) (removed int, err error) {
	before := time.Now().Add(-age)
	entries, err := os.ReadDir(s.incoming.root)
	if err != nil {
		return 0, fmt.Errorf("%w: the spool folder cannot be read: %w", store.ErrUnavailable, err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		dir := filepath.Join(s.incoming.root, e.Name())
		info, err := e.Info()
		if err != nil || dir == filepath.Clean(s.incoming.dir) || info.ModTime().After(before) {
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
