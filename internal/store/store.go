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
	People
	Audit
	Events
	Settings
	Alerts
	History
	Programs
	Uses
	Successions
	Resealing

	// OnChange has f called soon after another process, or this one, changed a
	// connection, a client, a key, a person or a session, where the store can tell; f must return at
	// once. A cache looks at the versions by itself too.
	OnChange(f func())

	// Ping writes and syncs something small: whether a submission would be
	// stored now. ErrUnavailable says why not.
	Ping(ctx context.Context) error
	// Close waits for calls under way and ends. Later calls give ErrUnavailable,
	// and so does a Claim that waits.
	Close() error
}
