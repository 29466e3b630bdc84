package store

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// Replays returns the answers of submissions again.
type Replays interface {
	// Replay returns the answer that Submit stored under the key, with Replayed
	// set; nil when nothing is stored under it at now; ErrIdempotency when it
	// was stored for another request. It reads one row and writes nothing, so
	// that a repeat can be answered before anything of it is looked at. Submit
	// decides alone: of two first calls at once neither finds anything here.
	Replay(ctx context.Context, now time.Time, k Idempotency) ([]Submitted, error)

	// Begin claims the key for a request that is no submission; the caller does
	// it then and calls End. When the key was used before with the same request
	// it returns the answer that End stored, ErrUnderWay while there is none (it is
	// being done, or the server died meanwhile), and ErrIdempotency for another
	// request. Of two calls at once one claims.
	Begin(ctx context.Context, now time.Time, k Idempotency) (answer []byte, err error)
	// End stores the answer (JSON, not empty) under a claimed key; nil frees the
	// key: nothing was done.
	End(ctx context.Context, k Idempotency, answer []byte) error
}

// Begun is what Begin returns for a key that was claimed with a request before
// and has this answer.
func (k *Idempotency) Begun(request, stored []byte) ([]byte, error) {
	switch {
	case !bytes.Equal(request, k.Request):
		return nil, ErrIdempotency
	case len(stored) == 0:
		return nil, ErrUnderWay
	}
	return stored, nil
}

// Answer returns a stored answer (JSON) again, when it is one to this request.
func (k *Idempotency) Answer(request, stored []byte) ([]Submitted, error) {
	if !bytes.Equal(request, k.Request) {
		return nil, ErrIdempotency
	}
	var out []Submitted
	if err := json.Unmarshal(stored, &out); err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Replayed = true
	}
	return out, nil
}
