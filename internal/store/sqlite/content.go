package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
	"github.com/postino-mail/postino/mime"
)

// open opens the spool file of m.
func (s *spoolDir) open(ctx context.Context, m *store.Message, size, start int64) (_ mime.Source, _ io.Closer, err error) {
	f, err := os.Open(s.path(m.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, engine.Corrupt(m.ID, "its spool file is missing")
	}
	if err != nil {
		return nil, nil, unavailable(fmt.Errorf("the spool file cannot be opened: %w", err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, unavailable(err)
	}
	if info.Size() != start+size {
		return nil, nil, engine.Corrupt(m.ID, fmt.Sprintf("its spool file has %d bytes, not %d", info.Size(), start+size))
	}
	body := io.NewSectionReader(f, start, size)
	h := sha256.New()
	if _, err := copyCtx(ctx, h, body); err != nil {
		if ctx.Err() != nil {
			return nil, nil, err
		}
		return nil, nil, unavailable(fmt.Errorf("the spool file cannot be read: %w", err))
	}
	if !bytes.Equal(h.Sum(nil), m.BodySHA256) {
		return nil, nil, engine.Corrupt(m.ID, "the digest of its spool file is another one")
	}
	return body, f, nil
}
