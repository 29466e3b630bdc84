package app

import (
	"context"
	"os"

	"github.com/postino-mail/postino/internal/pickup"
	"github.com/postino-mail/postino/internal/store"
)

// pickupDoor looks after the maildrop, and the pickup folder where there is one.
func (s *server) pickupDoor() (*pickup.Pickup, error) {
	conf := s.conf.Pickup
	drop := Maildrop(s.getenv, s.conf.Data)
	if drop == systemDrop && pickup.CanList(drop) != nil {
		s.log.Warn("the maildrop of all users belongs to the server of another user: this one looks into its own alone", "shared", drop, "own", ownDrop(s.conf.Data))
		drop = ownDrop(s.conf.Data)
	}
	o := pickup.Options{Dir: conf.Dir, Drop: drop, Submit: s.submit, SpoolDir: s.store.SpoolDir(),
		MaxSize: int64(s.conf.Limits.MaxSize), Log: s.log}
	// sendmail left its mail there before the other folder was made.
	if own := ownDrop(s.conf.Data); own != o.Drop {
		if st, err := os.Stat(own); err == nil && st.IsDir() {
			o.OldDrop = own
		}
	}
	if conf.Client != "" {
		o.Client = func(ctx context.Context) (*store.Client, error) { return s.clients.Named(ctx, conf.Client) }
	}
	return pickup.New(o)
}
