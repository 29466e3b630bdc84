package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A content is the bytes of a message; Closer is nil when they are in memory.
type content struct {
	mime.Source
	io.Closer
}

func (c content) Close() error {
	if c.Closer == nil {
		return nil
	}
	return c.Closer.Close()
}

// Corrupt is the error of a message with other bytes than were stored.
func Corrupt(id store.ID, what string) error {
	return fmt.Errorf("%w: message %s: %s", store.ErrCorrupt, id, what)
}

// Content implements store.Messages.
func (p Ports) Content(ctx context.Context, id store.ID) (store.Content, error) {
	if head, body, ok := p.Claimed.Take(id); ok {
		return content{Source: mime.Join(mime.Bytes(head), mime.Bytes(body))}, nil
	}
	m := &store.Message{ID: id}
	var head, inline []byte
	var apart bool
	var start int64
	var sum *int64 // of rows from before it was kept: none
	if err := p.DB.Read(ctx, p.Schema.Content, []any{p.Schema.ID(id)}, &m.Size, &m.BodySHA256, &m.BodyKept, &head, &inline, &apart, &start,
		&sum); err != nil {
		return nil, err
	}
	switch digest := sha256.Sum256(inline); {
	case !m.BodyKept:
		return nil, store.ErrGone
	case sum != nil && *sum != store.HeadSum(head):
		return nil, Corrupt(id, "its head has changed")
	case apart:
		body, c, err := p.DB.OpenLarge(ctx, m, m.Size-int64(len(head)), start)
		if err != nil {
			return nil, err
		}
		return content{mime.Join(mime.Bytes(head), body), c}, nil
	case int64(len(head)+len(inline)) != m.Size:
		return nil, Corrupt(id, "the size in the database is another one")
	case !bytes.Equal(digest[:], m.BodySHA256):
		return nil, Corrupt(id, "the digest of the body is another one")
	}
	return content{Source: mime.Join(mime.Bytes(head), mime.Bytes(inline))}, nil
}
