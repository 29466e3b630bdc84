package config

import (
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Watch is what is watched and whom alerts reach.
type Watch struct {
	Off        bool     `toml:"off"`
	Mail       []string `toml:"mail"`       // addresses that alerts are mailed to; empty: none
	Connection string   `toml:"connection"` // name of the one that carries them; empty: any other that works
	Language   string   `toml:"language"`   // of the mail; en
	Days       []int    `toml:"days"`       // before a certificate or a secret ends; 30, 14, 7, 3, 1
	Budget     int      `toml:"budget"`     // per cent of a mailbox's recipients a day; 80
	Waiting    Duration `toml:"waiting"`    // how long mail may wait; 1h, negative: for ever

	Recipients []mime.Mailbox `toml:"-"` // Mail as Validate has read it
}

// Defaults of Watch.
const (
	DefaultBudget  = 80
	DefaultWaiting = time.Hour
)

// defaultDays are the days before an end on which it is reported.
func defaultDays() []int { return []int{30, 14, 7, 3, 1} }

// validate checks the settings and fills in the defaults.
func (w *Watch) validate() error {
	w.Recipients = make([]mime.Mailbox, len(w.Mail))
	for i, a := range w.Mail {
		var err error
		if w.Recipients[i], err = mime.ParseMailbox(a); err != nil {
			return err
		}
	}
	if w.Budget > 100 {
		return texterr.New(mime.NewText("config.watch_budget", "budget {value} is no per cent of a day: write 1 to 100", "value", w.Budget))
	}
	for _, d := range w.Days {
		if d < 1 || d > 3650 {
			return texterr.New(mime.NewText("config.watch_days", "days has {value}: write days from 1 to 3650", "value", d))
		}
	}
	if w.Language != "" && locale.Match(w.Language) == locale.English && !strings.HasPrefix(strings.ToLower(w.Language), locale.English) {
		return texterr.New(mime.NewText("config.watch_language", "language {value} is not known: write en or it", "value", w.Language))
	}
	if w.Budget == 0 {
		w.Budget = DefaultBudget
	}
	if w.Waiting == 0 {
		w.Waiting = Duration(DefaultWaiting)
	}
	if len(w.Days) == 0 {
		w.Days = defaultDays()
	}
	return nil
}
