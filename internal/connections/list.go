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

	Addresses map[string]string // of people by id, so that an owner is found by address too
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
		if q.Provider != "" && string(c.Provider) != q.Provider || q.Owner != "" && !q.owned(c) ||
			q.Active != nil && c.IsActive() != *q.Active || search != "" && !found(c, search, q.Addresses[c.Owner]) {
			continue
		}
		if q.State != "" && listedState(c, stateOf(c.ID), now) != q.State {
			continue
		}
		if q.Limit > 0 && len(page) == q.Limit {
			return page, page[len(page)-1].Name
		}
		page = append(page, c)
	}
	return page, ""
}

// owned reports that a connection is of the owner who is asked for by id or address.
func (q Query) owned(c *gateway.Connection) bool {
	return c.Owner == q.Owner || c.Owner != "" && strings.EqualFold(q.Addresses[c.Owner], q.Owner)
}

// AddressesOf are the addresses of people by id.
func AddressesOf(all []store.Person) map[string]string {
	out := make(map[string]string, len(all))
	for i := range all {
		out[all[i].ID] = all[i].Email
	}
	return out
}

// listedState is the state of a connection: what keeps its mail back comes first.
func listedState(c *gateway.Connection, st store.ConnectionState, now time.Time) string {
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
// for it; owner is the address of its owner.
func found(c *gateway.Connection, text, owner string) bool {
	fields := []string{c.Name, c.From, c.DisplayName, c.Owner, owner, c.ID}
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
