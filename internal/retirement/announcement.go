// Package retirement says which ways of sending stop working when providers retire passwords: when, why, and how to
// move each.
//
// What was announced stands in one dated file, announcements.toml; no date is
// part of the logic. Nothing here asks the network.
package retirement

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
)

//go:embed announcements.toml
var source string

// An Announcement is what a provider said about one way of sending.
type Announcement struct {
	ID           string    `toml:"id"`
	Hosts        []string  `toml:"hosts"`
	Path         string    `toml:"path"` // of a URL, in lower case; empty: any
	Credential   []string  `toml:"credential"`
	State        string    `toml:"state"` // ends, stays
	Date         time.Time `toml:"date"`
	OffByDefault time.Time `toml:"off_by_default"`
	Announced    time.Time `toml:"announced"`
	To           string    `toml:"to"`  // provider to move to: graph, gmail; empty: another one
	Row          string    `toml:"row"` // of docs/providers.md
	Source       string    `toml:"source"`
}

type announcements struct {
	AsOf time.Time      `toml:"as_of"`
	List []Announcement `toml:"announcement"`
}

var loaded = sync.OnceValues(func() (*announcements, error) {
	a := new(announcements)
	meta, err := toml.Decode(source, a)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("announcements.toml: unknown field %s", unknown[0])
	}
	return a, nil
})

// AsOf is the day on which news was looked for last.
func AsOf() (time.Time, error) {
	a, err := loaded()
	if err != nil {
		return time.Time{}, err
	}
	return a.AsOf, nil
}

// of returns the announcement about a way of sending; nil: none is known.
func (a *announcements) of(s *Settings) *Announcement {
	var best *Announcement
	long := -1
	for i := range a.List {
		x := &a.List[i]
		if !slices.Contains(x.Credential, s.Credential) || x.Path != "" && !strings.HasPrefix(strings.ToLower(s.Path)+"/", x.Path) {
			continue
		}
		for _, pattern := range x.Hosts {
			n := len(pattern)
			if x.Path != "" {
				n += 1000 // what a path says more goes first
			}
			if matches(pattern, s.Host) && n > long {
				best, long = x, n
			}
		}
	}
	return best
}

// matches reports whether a host is, or with "*." lies below, the name of a pattern.
func matches(pattern, host string) bool {
	if below, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	return pattern == host
}
