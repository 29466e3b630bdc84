package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

type content struct {
	mime.Source
	file *os.File // nil when inline
}

func (c *content) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// Content implements store.Messages.
func (s *Store) Content(ctx context.Context, id store.ID) (store.Content, error) {
	if head, body, ok := s.Arrived.Take(id); ok {
		return &content{Source: mime.Join(mime.Bytes(head), mime.Bytes(body))}, nil
	}
	m := &store.Message{ID: id}
	var head, inline []byte
	var start, sum sql.NullInt64
	var spooled bool
	if err := s.read(ctx, `SELECT m.size, m.sha256, b.head, b.body, b.body IS NULL, b.start, b.head_sum FROM messages m LEFT JOIN bodies b `+
		`ON b.msg = m.seq WHERE m.id = ?`,
		[]any{id}, &m.Size, &m.BodySHA256, &head, &inline, &spooled, &start, &sum); err != nil {
		return nil, err
	}
	if !start.Valid {
		return nil, store.ErrGone
	}
	if sum.Valid && sum.Int64 != store.HeadSum(head) {
		return nil, corrupt(m.ID, "its head has changed")
	}
	if !spooled {
		return inlineContent(m, head, inline)
	}
	return s.spool.open(ctx, m, head, start.Int64)
}

func corrupt(id store.ID, what string) error {
	return fmt.Errorf("%w: message %s: %s", store.ErrCorrupt, id, what)
}

func inlineContent(m *store.Message, head, body []byte) (store.Content, error) {
	if int64(len(head)+len(body)) != m.Size {
		return nil, corrupt(m.ID, "the size in the database is another one")
	}
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], m.BodySHA256) {
		return nil, corrupt(m.ID, "the digest of the body is another one")
	}
	return &content{Source: mime.Join(mime.Bytes(head), mime.Bytes(body))}, nil
}

// open opens the spool file of m after reading all of it once: what the disk
// has lost must not reach a recipient as a cut message.
func (s *spoolDir) open(ctx context.Context, m *store.Message, head []byte, start int64) (_ store.Content, err error) {
	f, err := os.Open(s.path(m.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt(m.ID, "its spool file is missing")
	}
	if err != nil {
		return nil, unavailable(fmt.Errorf("the spool file cannot be opened: %w", err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, unavailable(err)
	}
	size := m.Size - int64(len(head))
	if info.Size() != start+size {
		return nil, corrupt(m.ID, fmt.Sprintf("its spool file has %d bytes, not %d", info.Size(), start+size))
	}
	body := io.NewSectionReader(f, start, size)
	h := sha256.New()
	if _, err := copyCtx(ctx, h, body); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, unavailable(fmt.Errorf("the spool file cannot be read: %w", err))
	}
	if !bytes.Equal(h.Sum(nil), m.BodySHA256) {
		return nil, corrupt(m.ID, "the digest of its spool file is another one")
	}
	return &content{Source: mime.Join(mime.Bytes(head), body), file: f}, nil
}
