package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/pickup"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
)

// pickupFolders looks after the maildrop, and the pickup folder where there is one.
func (s *server) pickupFolders() (*pickup.Pickup, error) {
	conf := s.conf.Pickup
	drop := Maildrop(s.getenv, s.conf.Data)
	if drop == systemDrop && pickup.CanList(drop) != nil {
		s.log.Warn("the maildrop of all users belongs to the server of another user: this one looks into its own alone", "shared", drop,
			"own", ownDrop(s.conf.Data))
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
			return nil, unusableClient(fmt.Sprintf("there is no client %q, which [%s] names", name, section),
				fmt.Sprintf("non esiste il client %q indicato in [%s]", name, section),
				"add it with 'postino client add', or correct the configuration", "crearlo con 'postino client add' o correggere la configurazione")
		case err == nil && c.Disabled:
			return nil, unusableClient(fmt.Sprintf("the client %q, which [%s] names, is switched off", name, section),
				fmt.Sprintf("il client %q indicato in [%s] è disattivato", name, section),
				"switch it on again, or name another one", "riattivarlo o indicarne un altro")
		}
		return c, err
	}
}

func unusableClient(en, it, hintEN, hintIT string) *submit.Refusal {
	return &submit.Refusal{Code: "unknown_client", SMTP: 451, Enhanced: "4.3.5", HTTP: http.StatusServiceUnavailable,
		Message: adapters.Text{EN: en, IT: it}, Hint: adapters.Text{EN: hintEN, IT: hintIT}}
}
