package api

import (
	"fmt"
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

// said is a request that hands messages over, with its answer, for their records:
// without query and without anything of its body.
func said(r *http.Request) string {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	size := ""
	if r.ContentLength >= 0 {
		size = fmt.Sprintf(", %d bytes", r.ContentLength)
	}
	return fmt.Sprintf("%s %s (%s%s) -> %d %s %s", r.Method, r.URL.Path, media, size, http.StatusAccepted, strings.ToLower(requestIDHeader),
		requestID(r.Context()))
}
