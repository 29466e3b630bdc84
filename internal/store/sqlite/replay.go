package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Begin implements store.Replays.
func (s *Store) Begin(ctx context.Context, now time.Time, k store.Idempotency) (answer []byte, err error) {
	err = s.do(ctx, func(t *tx) error {
		answer = nil
		var request, stored []byte
		err := t.row(answerQuery, []any{k.Client, k.Key, us(now)}, &request, &stored)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return t.exec(`INSERT OR REPLACE INTO idempotency (client, key, request, answer, expires_at) VALUES (?, ?, ?, '', ?)`,
				k.Client, k.Key, nonNil(k.Request), us(k.ExpiresAt))
		case err != nil:
			return err
		}
		answer, err = k.Begun(request, stored)
		return err
	})
	return answer, err
}

// End implements store.Replays.
func (s *Store) End(ctx context.Context, k store.Idempotency, answer []byte) error {
	return s.do(ctx, func(t *tx) error {
		if answer == nil {
			return t.exec(`DELETE FROM idempotency WHERE client = ? AND key = ? AND answer = ''`, k.Client, k.Key)
		}
		return t.exec(`UPDATE idempotency SET answer = ? WHERE client = ? AND key = ?`, string(answer), k.Client, k.Key)
	})
}
