package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// directory is the control.Directory in force; none at the start.
type directory struct {
	mu       sync.RWMutex
	doc      control.Directory
	inForce  bool
	any      bool                       // without one: every address is a mailbox
	named    map[string]bool            // or these, normalized
	mailbox  map[string]control.Mailbox // by address, normalized
	isPerson map[string]bool
}

// A Standing is what an address is.
type Standing int

// Standings.
const (
	Unlisted  Standing = iota // a mailbox without a directory, or one that allows others: the address's local part decides
	Listed                    // a mailbox of the directory
	Alias                     // of such a mailbox
	NoMailbox                 // a person
	Missing                   // no one
)

func states() []string {
	return []string{"", "active", "blocked", "denied", "disabled", "full", "moving", "nolicense", "onprem"}
}

// SetDirectory puts d in force. The error names the first entry that is wrong; the
// directory that was in force stays then.
func (c *Core) SetDirectory(d control.Directory) error {
	next := directory{doc: d, inForce: true, mailbox: make(map[string]control.Mailbox), isPerson: make(map[string]bool)}
	taken := make(map[string]bool)
	note := func(addr string) (string, error) {
		a := Normalize(addr)
		local, domain, ok := strings.Cut(a, "@")
		switch {
		case !ok || local == "" || domain == "":
			return "", fmt.Errorf("%q is no address", addr)
		case taken[a]:
			return "", fmt.Errorf("%s stands twice in the directory", a)
		}
		taken[a] = true
		return a, nil
	}
	if len(d.Mailboxes) == 0 && !d.Unlisted {
		return errors.New("the directory has no mailbox: name at least one in mailboxes")
	}
	for _, m := range d.Mailboxes {
		a, err := note(m.Address)
		if err != nil {
			return err
		}
		if !slices.Contains(states(), m.State) {
			return fmt.Errorf("%s: %q is no state: active, blocked, denied, disabled, full, moving, nolicense or onprem", a, m.State)
		}
		next.mailbox[a] = m
		for _, alias := range m.Aliases {
			if alias, err = note(alias); err != nil {
				return err
			}
			m.Address = a
			next.mailbox[alias] = m
		}
	}
	for _, p := range d.People {
		a, err := note(p.Address)
		if err != nil {
			return err
		}
		next.isPerson[a] = true
	}
	c.directory.mu.Lock()
	defer c.directory.mu.Unlock()
	c.directory.doc, c.directory.inForce, c.directory.mailbox, c.directory.isPerson = next.doc, true, next.mailbox, next.isPerson
	return nil
}

// AddMailbox has an address be a mailbox as long as no directory is in force.
func (c *Core) AddMailbox(addr string) {
	c.directory.mu.Lock()
	defer c.directory.mu.Unlock()
	if c.directory.named == nil {
		c.directory.named = make(map[string]bool)
	}
	c.directory.named[Normalize(addr)] = true
}

// Directory is the one in force; false where there is none.
func (c *Core) Directory() (control.Directory, bool) {
	c.directory.mu.RLock()
	defer c.directory.mu.RUnlock()
	return c.directory.doc, c.directory.inForce
}

// Lookup says what an address is; the mailbox goes with Listed and Alias.
func (c *Core) Lookup(addr string) (control.Mailbox, Standing) {
	a := Normalize(addr)
	d := &c.directory
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.mailbox[a]
	switch {
	case !d.inForce && !d.any && !d.named[a]:
		return control.Mailbox{}, Missing
	case !d.inForce:
		return control.Mailbox{}, Unlisted
	case ok && Normalize(m.Address) == a:
		return m, Listed
	case ok:
		return m, Alias
	case d.isPerson[a]:
		return control.Mailbox{}, NoMailbox
	case d.doc.Unlisted:
		return control.Mailbox{}, Unlisted
	}
	return control.Mailbox{}, Missing
}

// A Right is what lets a mailbox send with an address as From.
type Right int

// Rights.
const (
	NoRight Right = iota
	Own           // its address or an alias
	SendAs
	SendOnBehalf
)

// RightOf is the right of a mailbox to send as from. known is false where no directory
// lists the mailbox: the caller's own rules hold.
func (c *Core) RightOf(mailbox, from string) (r Right, known bool) {
	m, standing := c.Lookup(mailbox)
	if standing != Listed {
		return NoRight, false
	}
	from = Normalize(from)
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool { return Normalize(a) == from })
	}
	switch {
	case from == Normalize(m.Address) || in(m.Aliases):
		return Own, true
	case in(m.SendAs):
		return SendAs, true
	case in(m.SendOnBehalf):
		return SendOnBehalf, true
	}
	return NoRight, true
}
