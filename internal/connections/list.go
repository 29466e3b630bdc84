package connections

import (
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/tokens/credential"
)

// The states by which connections are listed.
const (
	StateOK     = "ok"
	StateOff    = "off"    // switched off
	StatePaused = "paused" // until some time, or until somebody resumes it
	StateClosed = "closed" // a secret does not open with this key
)

// States are all of them.
func States() []string { return []string{StateOK, StateOff, StatePaused, StateClosed} }

// A Query chooses connections; zero fields choose all.
type Query struct {
	Search   string // a part of name, address, host, tenant, login or owner, letter case folded
	Provider string
	Owner    string
	State    string // one of States
	Active   *bool
	After    string // name: those behind it
	Limit    int    // 0: all
}

// Select returns the connections of all, which are by name, that q chooses, and the
// name after which the next page begins; empty: there is none. stateOf may be nil
// where q asks for no state.
func (q Query) Select(all []*gateway.Connection, stateOf func(id string) store.ConnectionState, now time.Time) (
	page []*gateway.Connection, next string) {
	if q.After != "" {
		i, _ := slices.BinarySearchFunc(all, q.After, func(c *gateway.Connection, name string) int { return strings.Compare(c.Name, name) })
		for i < len(all) && all[i].Name == q.After {
			i++
		}
		all = all[i:]
	}
	search := strings.ToLower(q.Search)
	for _, c := range all {
		if q.Provider != "" && string(c.Provider) != q.Provider || q.Owner != "" && c.Owner != q.Owner ||
			q.Active != nil && c.IsActive() != *q.Active || search != "" && !found(c, search) {
			continue
		}
		if q.State != "" && StateOf(c, stateOf(c.ID), now) != q.State {
			continue
		}
		if q.Limit > 0 && len(page) == q.Limit {
			return page, page[len(page)-1].Name
		}
		page = append(page, c)
	}
	return page, ""
}

// StateOf is the state of a connection: what keeps its mail back comes first.
func StateOf(c *gateway.Connection, st store.ConnectionState, now time.Time) string {
	switch {
	case !c.IsActive():
		return StateOff
	case c.RedactedSecret() != "":
		return StateClosed
	case st.PausedUntil.After(now):
		return StatePaused
	}
	return StateOK
}

// found reports that a connection has a text, in lower case, where people look
// for it.
func found(c *gateway.Connection, text string) bool {
	fields := []string{c.Name, c.From, c.DisplayName, c.Owner, c.ID}
	fields = append(fields, c.Aliases...)
	if c.Settings != nil {
		fields = append(fields, c.Settings.SenderMailbox())
	}
	if s, ok := c.Settings.(adapters.ServerSettings); ok {
		host, _ := s.Server()
		fields = append(fields, host)
	}
	if holder, ok := c.Settings.(credential.Holder); ok {
		for _, audience := range holder.Audiences() {
			if e, ok := holder.Credential(audience).(*credential.Entra); ok {
				fields = append(fields, e.Tenant, e.ClientID)
			}
		}
	}
	return slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(strings.ToLower(f), text) })
}
