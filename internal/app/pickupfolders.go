package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/pickup"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// pickupFolders looks after the maildrop, and the pickup folder where there is one.
func (s *server) pickupFolders() (*pickup.Pickup, error) {
	conf := s.conf.Pickup
	drop := maildrop(s.getenv, s.conf.Data)
	if drop == systemDrop && pickup.CanList(drop) != nil {
		s.log.Warn("the maildrop of all users belongs to the server of another user: this one looks into its own alone", "shared", drop, "own",
			ownDrop(s.conf.Data))
		drop = ownDrop(s.conf.Data)
	}
	o := pickup.Options{Dir: conf.Dir, Drop: drop, Submit: s.submit, SpoolDir: s.store.SpoolDir(), Budget: s.uploads,
		MaxSize: int64(s.conf.Limits.MaxSize), Pause: time.Duration(conf.Pause), Log: s.log}
	// sendmail left its mail there before the other folder was made.
	if own := ownDrop(s.conf.Data); own != o.Drop {
		if st, err := os.Stat(own); err == nil && st.IsDir() {
			o.OldDrop = own
		}
	}
	o.Client, o.DropClient = s.folderClient("pickup", conf.Client), s.folderClient("maildrop", s.conf.Maildrop.Client)
	return pickup.New(o)
}

// folderClient finds the client that a section of the configuration names. While
// it does not exist, or is switched off, the files wait.
func (s *server) folderClient(section, name string) pickup.ClientFunc {
	if name == "" {
		return nil
	}
	return func(ctx context.Context) (*store.Client, error) {
		c, err := s.clients.Named(ctx, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, unusableClient(mime.NewText("pickup.no_client", "there is no client {client}, which [{section}] names", "client",
				strconv.Quote(name), "section", section),
				mime.NewText("pickup.no_client_hint", "add it with 'postino client add', or correct the configuration"))
		case err == nil && c.Disabled:
			return nil, unusableClient(mime.NewText("pickup.client_off", "the client {client}, which [{section}] names, is switched off", "client",
				strconv.Quote(name), "section", section),
				mime.NewText("pickup.client_off_hint", "switch it on again, or name another one"))
		}
		return c, err
	}
}

func unusableClient(message, hint mime.Text) *submit.Refusal {
	return &submit.Refusal{Code: "unknown_client", SMTP: 451, Enhanced: "4.3.5", HTTP: http.StatusServiceUnavailable,
		Message: message, Hint: hint}
}
