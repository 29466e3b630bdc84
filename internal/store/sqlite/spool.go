package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
	"github.com/postino-mail/postino/mime"
)

// files is what the spool asks of the file system; tests put faults in.
type files interface {
	Sync(f *os.File) error
	Rename(from, to string) error
	SyncDir(dir string) error
}

type osFiles struct{}

func (osFiles) Sync(f *os.File) error        { return f.Sync() }
func (osFiles) Rename(from, to string) error { return os.Rename(from, to) }
func (osFiles) SyncDir(dir string) error     { return syncDir(dir) }

// A spoolDir holds large bodies: root/xx/ID for those that a row names, and
// root/incoming/N for what this process is writing, with a lock that tells the
// living from the dead.
type spoolDir struct {
	root     string
	incoming engine.Incoming
	fs       files

	mu      sync.Mutex
	writing map[string]bool // files of this process that no row names yet
	synced  map[string]bool // folders with an own entry in root that is known to be on the disk
}

func openSpool(root string, f files) (_ *spoolDir, err error) {
	s := &spoolDir{root: root, fs: f, writing: map[string]bool{}, synced: map[string]bool{}}
	all := filepath.Join(root, "incoming")
	if s.incoming, err = engine.OpenIncoming(all); err != nil {
		return nil, err
	}
	// The new folders must outlive a power cut before the first file in them.
	return s, errors.Join(syncDir(all), syncDir(root), syncDir(filepath.Dir(root)))
}

func (s *spoolDir) path(id store.ID) string {
	t := id.String()
	return filepath.Join(s.root, t[len(t)-2:], t) // the last characters are random
}

// write has Sweep leave the file alone until written: what the clock says of its
// age may be wrong.
func (s *spoolDir) write(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing[file] = true
}

// written: a row names the file, or it is not needed.
func (s *spoolDir) written(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writing, file)
}

func (s *spoolDir) isWriting(file string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writing[file]
}

// take digests a large body and puts it on the disk, synced with its folder. The
// caller says written once it is known whether a row names the file.
func (s *spoolDir) take(ctx context.Context, m *engine.NewMessage) (err error) {
	h := sha256.New()
	size := m.Body.Size()
	file := s.path(m.ID)
	s.write(file)
	defer func() {
		if err != nil {
			s.written(file)
		}
	}()
	if renamesOpen && m.Buffer != nil && m.Buffer.File() != nil && filepath.Dir(m.Buffer.File().Name()) == filepath.Clean(s.incoming.Dir) {
		m.Start = m.BodyOffset
		n, err := copyCtx(ctx, h, m.Body)
		if err == nil && n != size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("the body of the message cannot be read: %w", err)
		}
		if err := s.keep(m.Buffer.File(), file); err != nil {
			return err
		}
		m.Buffer.Keep()
	} else if err := s.copy(ctx, m.Body, h, file); err != nil {
		return err
	}
	m.File, m.Sum = file, h.Sum(nil)
	return nil
}

// keep syncs f and gives it its lasting name.
func (s *spoolDir) keep(f *os.File, name string) error {
	if err := s.fs.Sync(f); err != nil {
		return unavailable(fmt.Errorf("the spool file cannot be synced: %w", err))
	}
	return s.place(f.Name(), name)
}

// place gives a synced file its lasting name and syncs that.
func (s *spoolDir) place(from, name string) error {
	dir := filepath.Dir(name)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return unavailable(fmt.Errorf("the spool cannot be written: %w", err))
	}
	if err := s.fs.Rename(from, name); err != nil {
		return unavailable(fmt.Errorf("the spool file cannot be put in place: %w", err))
	}
	err := s.fs.SyncDir(dir)
	if err == nil {
		err = s.syncEntry(dir)
	}
	if err != nil {
		return unavailable(errors.Join(fmt.Errorf("the spool folder cannot be synced: %w", err), os.Remove(name)))
	}
	return nil
}

// syncEntry makes sure that root's entry of the folder outlives a power cut:
// whoever made the folder may have died before that, or is about to do it.
func (s *spoolDir) syncEntry(dir string) error {
	s.mu.Lock()
	done := s.synced[dir]
	s.mu.Unlock()
	if done {
		return nil
	}
	if err := s.fs.SyncDir(s.root); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced[dir] = true
	return nil
}

func (s *spoolDir) copy(ctx context.Context, src mime.Source, h io.Writer, name string) error {
	f, err := os.CreateTemp(s.incoming.Dir, "copy-*")
	if err != nil {
		return unavailable(fmt.Errorf("the spool cannot be written: %w", err))
	}
	_, err = copyCtx(ctx, io.MultiWriter(f, h), src)
	if err == nil {
		err = s.fs.Sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.place(f.Name(), name)
	}
	if err == nil {
		return nil
	}
	if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	if ctx.Err() != nil {
		return err
	}
	return unavailable(fmt.Errorf("the spool cannot be written: %w", err))
}

// copyCtx copies src in pieces of bounded size.
func copyCtx(ctx context.Context, w io.Writer, src mime.Source) (int64, error) {
	buf := make([]byte, 128<<10)
	var off int64
	for off < src.Size() {
		if err := ctx.Err(); err != nil {
			return off, err
		}
		n, err := src.ReadAt(buf[:min(int64(len(buf)), src.Size()-off)], off)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return off, werr
			}
		}
		off += int64(n)
		if err != nil && (!errors.Is(err, io.EOF) || off < src.Size()) {
			return off, err
		}
	}
	return off, nil
}

func (s *spoolDir) discard(log *slog.Logger, file string) {
	defer s.written(file)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("a spool file that is not needed cannot be removed", "file", file, "err", err)
	}
}

// Sweep implements store.Admin.
func (s *Store) Sweep(ctx context.Context, age time.Duration) (removed int, err error) {
	before := time.Now().Add(-age)
	dirs, err := filepath.Glob(filepath.Join(s.spool.root, "??"))
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return removed, unavailable(err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return removed, err
			}
			id, err := store.ParseID(e.Name())
			file := filepath.Join(dir, e.Name())
			if err != nil || id.Time().After(before) || s.spool.isWriting(file) {
				continue
			}
			var named bool
			if err := s.DB.Read(ctx, `SELECT EXISTS (SELECT 1 FROM messages WHERE id = ? AND kept = 1)`, []any{id}, &named); err != nil {
				return removed, err
			}
			if !named {
				if err := os.Remove(file); err != nil {
					return removed, unavailable(err)
				}
				removed++
			}
		}
	}
	n, err := s.spool.incoming.Sweep(ctx, age)
	return removed + n, err
}
