package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
)

// Begin implements store.Replays.
func (s *Store) Begin(ctx context.Context, now time.Time, k store.Idempotency) (answer []byte, err error) {
	err = s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		answer = nil
		// Whoever comes second waits here until the first has committed.
		var claimed bool
		err := tx.QueryRow(ctx, `INSERT INTO idempotency (client, key, request, answer, expires_at) VALUES ($1, $2, $3, '', $4)
			ON CONFLICT (client, key) DO UPDATE SET request = excluded.request, answer = '', expires_at = excluded.expires_at
			WHERE idempotency.expires_at <= $5 RETURNING true`, k.Client, []byte(k.Key), nonNil(k.Request), us(k.ExpiresAt), us(now)).Scan(&claimed)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return dbErr(err)
		}
		var request, stored []byte
		if err := tx.QueryRow(ctx, `SELECT request, answer FROM idempotency WHERE client = $1 AND key = $2`, k.Client, []byte(k.Key)).Scan(&request, &stored); err != nil {
			return dbErr(err)
		}
		answer, err = k.Begun(request, stored)
		return err
	})
	return answer, err
}

// End implements store.Replays.
func (s *Store) End(ctx context.Context, k store.Idempotency, answer []byte) error {
	if answer == nil {
		return s.exec(ctx, `DELETE FROM idempotency WHERE client = $1 AND key = $2 AND answer = ''`, k.Client, []byte(k.Key))
	}
	return s.exec(ctx, `UPDATE idempotency SET answer = $3 WHERE client = $1 AND key = $2`, k.Client, []byte(k.Key), string(answer))
}
