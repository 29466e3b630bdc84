package api

import (
	"net/http"
	"strings"

	"github.com/postino-mail/postino/internal/programs"
)

// peer is what is known of the program that makes a request.
func (s *submissionService) peer(r *http.Request) programs.Peer {
	p := programs.Peer{Agent: r.UserAgent()}
	if o, err := s.proxies.origin(r); err == nil && o.peer == nil {
		p.Address = o.addr
	}
	switch scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.ToLower(scheme) {
	case "bearer":
		p.Auth = "key"
	case "basic":
		p.Auth = "basic"
	}
	if r.TLS != nil {
		p.TLS = r.TLS.Version
	}
	return p
}
