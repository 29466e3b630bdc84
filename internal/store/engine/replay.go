package engine

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Begin implements store.Replays. Whoever comes second waits until the first
// has committed.
func (r Ports) Begin(ctx context.Context, now time.Time, k store.Idempotency) (answer []byte, err error) {
	err = r.DB.Do(ctx, func(t Tx) error {
		answer = nil
		request := k.Request
		if request == nil {
			request = []byte{}
		}
		if !r.Schema.Shared {
			// Read first: where the transaction is shared with others, a key in use
			// must not undo what they wrote.
			found, err := r.begun(t, now, k, &answer)
			if found || err != nil {
				return err
			}
		}
		n, err := t.Exec(`INSERT INTO idempotency (client, key, request, answer, expires_at) VALUES ($1, $2, $3, '', $4)
			ON CONFLICT (client, key) DO UPDATE SET request = excluded.request, answer = '', expires_at = excluded.expires_at
			WHERE idempotency.expires_at <= $5`, k.Client, r.Schema.Key(k.Key), request, Micros(k.ExpiresAt), Micros(now))
		if err != nil || n > 0 {
			return err
		}
		found, err := r.begun(t, now, k, &answer)
		if err == nil && !found {
			err = store.ErrNotFound
		}
		return err
	})
	return answer, err
}

// begun reads what is kept under a key that is still good.
func (r Ports) begun(t Tx, now time.Time, k store.Idempotency, answer *[]byte) (found bool, err error) {
	var have []byte
	var stored string
	err = t.Row(`SELECT request, answer FROM idempotency WHERE client = $1 AND key = $2 AND expires_at > $3`,
		[]any{k.Client, r.Schema.Key(k.Key), Micros(now)}, &have, &stored)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	*answer, err = k.Begun(have, []byte(stored))
	return true, err
}

// End implements store.Replays.
func (r Ports) End(ctx context.Context, k store.Idempotency, answer []byte) error {
	if answer == nil {
		return r.exec(ctx, `DELETE FROM idempotency WHERE client = $1 AND key = $2 AND answer = ''`, k.Client, r.Schema.Key(k.Key))
	}
	return r.exec(ctx, `UPDATE idempotency SET answer = $3 WHERE client = $1 AND key = $2`, k.Client, r.Schema.Key(k.Key), string(answer))
}

// Replay implements store.Replays. An answer is an acknowledgement: where only a
// commit vouches for the server that was read from, it writes the row.
func (r Ports) Replay(ctx context.Context, now time.Time, k store.Idempotency) ([]store.Submitted, error) {
	var request []byte
	var answer string
	args := []any{k.Client, r.Schema.Key(k.Key), Micros(now)}
	const chosen = ` WHERE client = $1 AND key = $2 AND expires_at > $3`
	var err error
	if r.Schema.Shared {
		err = r.DB.Do(ctx, func(t Tx) error {
			return t.Row(`UPDATE idempotency SET expires_at = expires_at`+chosen+` RETURNING request, answer`, args, &request, &answer)
		})
	} else {
		err = r.DB.Read(ctx, `SELECT request, answer FROM idempotency`+chosen, args, &request, &answer)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return k.Answer(request, []byte(answer))
}
