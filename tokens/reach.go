package tokens

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// Host implements stages.Issuer. Tokens of a managed identity and of a source that the
// program has come from elsewhere.
func (s *source) Host() string {
	if c := s.want.key.credential; c == "managed" || c == "given" {
		return ""
	}
	return s.want.host
}

// Reach implements stages.Issuer: it asks for the server's root, over the
// connections that tokens come by.
func (s *source) Reach(ctx context.Context) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.root(), nil)
	if err == nil {
		var resp *http.Response
		if resp, err = s.cache.client.Do(req); err == nil {
			_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // whatever it says, it has answered
			_ = resp.Body.Close()
			return resp.Header, nil
		}
	}
	return nil, adapters.NetworkError(s.want.provider, s.want.host, err, s.cache.opt.Now())
}

// root is the URL of the issuer's server, without its path.
func (s *source) root() string {
	scheme := "https://"
	if strings.HasPrefix(s.want.key.authority, "http://") {
		scheme = "http://"
	}
	return scheme + s.want.host + "/"
}
