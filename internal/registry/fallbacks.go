package registry

import (
	"strings"

	"github.com/postino-mail/postino/internal/gateway"
)

// A Loose fallback is a name in a connection's chain that no connection has: it
// has no effect.
type Loose struct{ Connection, Fallback string }

// LooseFallbacks returns those of all connections.
func LooseFallbacks(all []*gateway.Connection) (out []Loose) {
	names := make(map[string]bool, len(all))
	for _, c := range all {
		names[strings.ToLower(c.Name)] = true
	}
	for _, c := range all {
		for _, f := range c.Fallback {
			if !names[strings.ToLower(f)] {
				out = append(out, Loose{c.Name, f})
			}
		}
	}
	return out
}
