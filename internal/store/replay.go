package store

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// Replays gives the answers of submissions again.
type Replays interface {
	// Replay gives the answer that Submit stored under the key, with Replayed
	// set; nil when nothing is stored under it at now; ErrIdempotency when it
	// was stored for another request. It reads one row and writes nothing, so
	// that a repeat can be answered before anything of it is looked at. Submit
	// decides alone: of two first calls at once neither finds anything here.
	Replay(ctx context.Context, now time.Time, k Idempotency) ([]Submitted, error)
}

// Answer gives a stored answer (JSON) again, when it is one to this request.
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
