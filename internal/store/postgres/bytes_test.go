package postgres

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Headers and keys are bytes that someone else chose: PostgreSQL takes no
// text that is not UTF-8, and no NUL.
func TestForeignBytes(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	now := time.Now()
	m := benchMessage("l", []byte("\x00\xff\xfe"), now)
	m.MessageID, m.Tag, m.Subject = "<caff\xe8\x00@contoso.it>", "t\xff", "\xe8"
	key := &store.Idempotency{Client: "c", Key: "\xff\x00k", Request: []byte{0xff}, ExpiresAt: now.Add(time.Hour)}
	first, err := s.Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}, Idempotency: key})
	if err != nil {
		t.Fatal(err)
	}
	m.ID = store.NewID()
	again, err := s.Submit(t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{m}, Idempotency: key})
	if err != nil || !again[0].Replayed || again[0].ID != first[0].ID {
		t.Errorf("the repeat gives %v, %v", again, err)
	}
	got, err := s.Message(t.Context(), first[0].ID)
	if err != nil || got.MessageID != m.MessageID || got.Tag != m.Tag {
		t.Errorf("%+v, %v", got, err)
	}
	for _, f := range []store.Filter{{MessageID: m.MessageID}, {Tag: m.Tag}, {From: m.From.String()}} {
		p, err := s.List(t.Context(), store.ListRequest{Filter: f})
		if err != nil || len(p.Entries) != 1 {
			t.Errorf("%+v finds %d, %v", f, len(p.Entries), err)
		}
	}
}
