package store

import "context"

// Resealed counts what Reseal found.
type Resealed struct {
	Done   int // sealed again, with the key of today
	Closed int // sealed with another key than that of today, and with none that is there
	// Answers that are kept for idempotency keys, with another key than that of today:
	// they end within a day by themselves.
	Answers int
}

// Resealing is the port by which the key is changed under what is stored.
type Resealing interface {
	// Reseal seals every secret again that is stale, some records in a transaction:
	// one that ends in between goes on at the next call. It changes no revision. With
	// dry, it only counts: Done is what it would seal again.
	Reseal(ctx context.Context, stale func(sealed []byte) bool, dry bool) (Resealed, error)
}
