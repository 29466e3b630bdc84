package store

import "context"

// A Store is everything that is kept. sqlite.Open and postgres.Open give one.
type Store interface {
	Submitter
	Replays
	Messages
	Queue
	Lanes
	Admin
	Connections
	Clients
	Events
	Settings

	// Ping writes and syncs something small: whether a submission would be
	// stored now. ErrUnavailable says why not.
	Ping(ctx context.Context) error
	// Close waits for calls under way and ends. Later calls give ErrUnavailable,
	// and so does a Claim that waits.
	Close() error
}
