package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
	"github.com/postino-mail/postino/mime"
)

// chunkSize is how much of a large body one row holds.
const chunkSize = 1 << 20

// carry makes o bring the bodies of msgs along.
func carry(o *op, msgs []*engine.NewMessage) {
	var large []*engine.NewMessage
	for _, m := range msgs {
		o.Bytes += int64(len(m.Head) + len(m.Inline))
		if m.Apart {
			large = append(large, m)
		}
	}
	if len(large) == 0 {
		return
	}
	o.large = true
	o.lead = func(ctx context.Context, conn *pgxpool.Conn) error {
		if _, err := conn.Exec(ctx, `BEGIN`); err != nil {
			return dbErr(err)
		}
		for _, m := range large {
			if err := writeChunks(ctx, conn, m); err != nil {
				return err
			}
		}
		return nil
	}
}

// writeChunks digests and writes a large body, one row in memory at a time.
func writeChunks(ctx context.Context, conn *pgxpool.Conn, m *engine.NewMessage) error {
	h := sha256.New()
	buf := make([]byte, min(chunkSize, m.Body.Size()))
	for off, no := int64(0), 0; off < m.Body.Size(); no++ {
		part := buf[:min(chunkSize, m.Body.Size()-off)]
		if n, err := m.Body.ReadAt(part, off); n < len(part) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("the body of the message cannot be read: %w", err)
		}
		h.Write(part)
		if _, err := conn.Exec(ctx, `INSERT INTO chunks (message, no, data) VALUES ($1, $2, $3)`, [16]byte(m.ID), no, part); err != nil {
			return dbErr(err)
		}
		off += int64(len(part))
	}
	m.Sum = h.Sum(nil)
	return nil
}

// Drop implements engine.Work: the chunks of a message that is not stored go.
func (t *tx) Drop(m *engine.NewMessage) {
	if m.Apart {
		t.exec(`DELETE FROM chunks WHERE message = $1`, [16]byte(m.ID))
	}
}

// fetch brings the chunks of m into a local file: neither a purge nor a connection
// to the database is in the way of a slow provider then.
func (s *Store) fetch(ctx context.Context, m *store.Message, size, _ int64) (_ mime.Source, _ io.Closer, err error) {
	var buf *spool.Buffer
	defer func() {
		if err != nil && buf != nil {
			err = errors.Join(err, buf.Close())
		}
	}()
	select { // whoever reads a large body must leave connections to the others
	case s.fetching <- struct{}{}:
		defer func() { <-s.fetching }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	h := sha256.New()
	err = s.reading(ctx, func(conn *pgxpool.Conn) error {
		if buf != nil {
			if err := buf.Close(); err != nil {
				return err
			}
		}
		buf = spool.New(s.incoming.Dir, 0, 0)
		h.Reset()
		for no := 0; buf.Size() < size; no++ {
			// One by one: a single result of them all would be buffered by a slow
			// reader's server, and keep its snapshot.
			var part []byte
			switch err := conn.QueryRow(ctx, `SELECT data FROM chunks WHERE message = $1 AND no = $2`, [16]byte(m.ID), no).Scan(&part); {
			case errors.Is(err, pgx.ErrNoRows):
				return s.missing(ctx, conn, m.ID)
			case err != nil:
				return dbErr(err)
			}
			h.Write(part)
			if _, err := buf.Write(part); err != nil {
				return fmt.Errorf("%w: the local spool folder: %w", store.ErrUnavailable, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if buf.Size() != size {
		return nil, nil, engine.Corrupt(m.ID, fmt.Sprintf("its body has %d bytes, not %d", buf.Size(), size))
	}
	if !bytes.Equal(h.Sum(nil), m.BodySHA256) {
		return nil, nil, engine.Corrupt(m.ID, "the digest of the body is another one")
	}
	src, err := buf.Source()
	if err != nil {
		return nil, nil, err
	}
	return src, buf, nil
}

// missing tells what a purge has removed meanwhile from what is lost.
func (s *Store) missing(ctx context.Context, conn *pgxpool.Conn, id store.ID) error {
	var kept bool
	if err := conn.QueryRow(ctx, `SELECT kept FROM messages WHERE id = $1`, [16]byte(id)).Scan(&kept); err != nil {
		return notFound(err)
	}
	if kept {
		return engine.Corrupt(id, "a part of its body is missing")
	}
	return store.ErrGone
}
