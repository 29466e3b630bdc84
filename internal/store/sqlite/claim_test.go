package sqlite

import (
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A message that cannot be read does not take along those that were claimed with it.
func TestDamagedMessage(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	n, _, err := s.Register(t.Context(), "n", now(), now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var ids []store.ID
	for range 3 {
		m, err := submitBody(t, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	if err := s.do(t.Context(), func(t *tx) error { return t.exec(`UPDATE messages SET doc = '?' WHERE id = ?`, ids[1]) }); err != nil {
		t.Fatal(err)
	}
	cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: now(), Max: 5})
	if err != nil || len(cc) != 2 || cc[0].Message.ID != ids[0] || cc[1].Message.ID != ids[2] {
		t.Errorf("claimed %v, %v", cc, err)
	}
}
