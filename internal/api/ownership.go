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

// senders are those whose mail is routed to a connection.
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

// overlap returns a sender of both; empty: there is none.
func (s senders) overlap(o senders) string {
	domain := func(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
	for _, a := range s.addresses {
		if slices.Contains(o.addresses, a) || slices.Contains(o.domains, domain(a)) {
			return a
		}
	}
	for _, d := range s.domains {
		if slices.Contains(o.domains, d) || slices.ContainsFunc(o.addresses, func(a string) bool { return domain(a) == d }) {
			return d
		}
	}
	return ""
}

func adminSetting(field string, message adapters.Text) error {
	return fail(http.StatusForbidden, "forbidden", field, message, text("api.ask_administrator", "ask the administrator"))
}
