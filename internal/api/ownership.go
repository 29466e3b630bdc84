package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/submit"
)

// mayPut refuses an operator what would reach beyond their own connections: to
// give one away, to take a name that others send by, to take everybody's mail as the default or by a sender that is
// another's, and to send by another's as fallback. What an administrator has set
// stays as it is.
func (s confined) mayPut(ctx context.Context, owner string, old, c *gateway.Connection) error {
	if c.Owner != owner {
		return adminSetting("owner", text("api.owner_by_admin", "the owner of a connection is set by an administrator"))
	}
	mode, class := gateway.DefaultNo, ""
	var fallback []string
	var had senders
	if old != nil {
		fallback, had, class = old.Fallback, sendersOf(old), old.Class
		if old.IsDefault() {
			mode = old.Default
		}
	}
	// A plain SMTP connection for bulk mail takes that of every sender.
	if c.Class == submit.ClassBulk && c.Provider == adapters.SMTP && class != c.Class {
		return adminSetting("class", text("api.bulk_by_admin", "the connection for everybody's bulk mail is chosen by an administrator"))
	}
	if c.Default != mode && (c.IsDefault() || mode != gateway.DefaultNo) {
		return adminSetting("default", text("api.default_by_admin", "the default connection is chosen by an administrator"))
	}
	all, err := s.connections.All(ctx)
	if err != nil {
		return err
	}
	if old == nil || !strings.EqualFold(old.Name, c.Name) {
		if err := s.mayName(all, owner, old, c.Name); err != nil {
			return err
		}
	}
	for _, name := range c.Fallback {
		own := slices.ContainsFunc(all, func(o *gateway.Connection) bool { return o.Owner == owner && strings.EqualFold(o.Name, name) })
		if !own && !slices.Contains(fallback, name) {
			return adminSetting("fallback", text("api.fallback_not_own", "\"{name}\" is no connection of yours", "name", clip(name)))
		}
	}
	if err := apartFrom(all, owner, old, c); err != nil {
		return err
	}
	has := sendersOf(c)
	for _, o := range all {
		if o.Owner == owner {
			continue
		}
		if sender := has.without(had).overlap(sendersOf(o)); sender != "" {
			return adminSetting("from", text("api.sender_taken", "mail from {address} is another connection's: an administrator decides who "+
				"sends it", "address", clip(sender)))
		}
	}
	return s.mayTake(ctx, all, owner, has)
}

// mayTake refuses an operator the senders of clients, and whole domains of which
// the default connection of another owner sends what has no route. What their
// connections have already they may spread.
func (s confined) mayTake(ctx context.Context, all []*gateway.Connection, owner string, has senders) error {
	byDefault := false
	for _, o := range all {
		if o.Owner == owner {
			has = has.beyond(sendersOf(o))
		} else if o.IsDefault() {
			byDefault = true
		}
	}
	clients, err := s.all.Clients(ctx)
	if err != nil {
		return err
	}
	for _, c := range clients {
		sends := sendersOf(&gateway.Connection{Connection: adapters.Connection{Aliases: c.Senders}})
		if sender := has.overlap(sends); sender != "" {
			return adminSetting("from", text("api.sender_of_client", "a client sends mail from {address}: an administrator decides by which "+
				"connection", "address", clip(sender)))
		}
	}
	if byDefault && len(has.domains) > 0 {
		return adminSetting("from", text("api.domain_of_default", "mail from {domain} goes out by the default connection: an administrator "+
			"decides who sends it", "domain", clip(has.domains[0])))
	}
	return nil
}

// mayName refuses an operator a name to which mail of others goes, and to leave
// such a name to whoever takes it next. old is nil for a new connection.
func (s confined) mayName(all []*gateway.Connection, owner string, old *gateway.Connection, name string) error {
	if chained(all, owner, name) || s.watch != "" && strings.EqualFold(s.watch, name) {
		return adminSetting("name", text("api.name_expected", "mail of others goes to the connection named \"{name}\": an administrator "+
			"decides which one that is", "name", clip(name)))
	}
	if old != nil && chained(all, owner, old.Name) {
		return inChain("name", old.Name)
	}
	return nil
}

// chained reports whether a connection of another owner has the name among its
// fallbacks.
func chained(all []*gateway.Connection, owner, name string) bool {
	return slices.ContainsFunc(all, func(o *gateway.Connection) bool {
		return o.Owner != owner && slices.ContainsFunc(o.Fallback, func(f string) bool { return strings.EqualFold(f, name) })
	})
}

func inChain(field, name string) error {
	return adminSetting(field, text("api.name_in_chain", "\"{name}\" is the fallback of a connection of others", "name", clip(name)))
}

// senders are the addresses with mail that is routed to a connection.
type senders struct{ addresses, domains []string }

func sendersOf(c *gateway.Connection) (s senders) {
	s.addresses, s.domains = submit.Senders(c)
	return s
}

func (s senders) without(o senders) senders {
	return senders{
		slices.DeleteFunc(slices.Clone(s.addresses), func(a string) bool { return slices.Contains(o.addresses, a) }),
		slices.DeleteFunc(slices.Clone(s.domains), func(d string) bool { return slices.Contains(o.domains, d) }),
	}
}

// beyond are those of s that are not within o.
func (s senders) beyond(o senders) senders {
	s = s.without(o)
	s.addresses = slices.DeleteFunc(s.addresses, func(a string) bool { return slices.Contains(o.domains, domainOf(a)) })
	return s
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// overlap returns a sender of both; empty: there is none.
func (s senders) overlap(o senders) string {
	for _, a := range s.addresses {
		if slices.Contains(o.addresses, a) || slices.Contains(o.domains, domainOf(a)) {
			return a
		}
	}
	for _, d := range s.domains {
		if slices.Contains(o.domains, d) || slices.ContainsFunc(o.addresses, func(a string) bool { return domainOf(a) == d }) {
			return d
		}
	}
	return ""
}

func adminSetting(field string, message adapters.Text) error {
	return fail(http.StatusForbidden, "forbidden", field, message, text("api.ask_administrator", "ask the administrator"))
}
