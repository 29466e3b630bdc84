package api

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/webhook"
)

// untrusted reports what an edit of a connection may not do.
func untrusted(err error) error {
	var e *registry.TrustError
	if !errors.As(err, &e) {
		return invalidConnection(err)
	}
	if errors.Is(err, registry.ErrAdminOnly) {
		return fail(http.StatusForbidden, "forbidden", e.Field, passOn(e), text("api.ask_administrator", "ask the administrator"))
	}
	return fail(http.StatusUnprocessableEntity, "invalid_connection", e.Field, passOn(e),
		text("api.patch_with_credential", "PATCH with the new settings and the credential together"))
}

// confine holds a server that someone who is no administrator names to public
// addresses and the networks of the service. Addresses are looked
// at here where they are written, and each time the server is called.
func (s *connectionService) confine(p *principal, next, old *gateway.Connection) error {
	set, names := next.Settings.(adapters.ServerSettings)
	if p.admin() || !names {
		return nil
	}
	host, port := set.Server()
	if old != nil {
		if had, ok := old.Settings.(adapters.ServerSettings); ok && old.Provider == next.Provider {
			if oldHost, oldPort := had.Server(); oldHost == host && oldPort == port {
				set.Restrict(set.Restricted() || had.Restricted())
				return nil
			}
		}
	}
	set.Restrict(true)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	// A name's addresses count when it is called.
	if a, err := netip.ParseAddr(host); err == nil && !adapters.PublicAddress(a) && !webhook.Within(s.networks, a) {
		return fail(http.StatusForbidden, "forbidden", string(next.Provider)+".host",
			text("api.address_not_public", "the server's address is not public, so it is for an administrator alone"),
			text("api.address_not_public_hint",
				"name a server with a public address, or have its network named under [connections] networks "+
					"in the server's configuration"))
	}
	return nil
}
