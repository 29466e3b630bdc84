package presets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// errPrivate is why an address that is not public is not called.
var errPrivate = errors.New("presets: the address is not public")

func privateText() mime.Text {
	return mime.NewText("presets.private", "the server has no public address, so it was not asked")
}

// publicOnly marks requests that may reach public addresses alone.
type publicOnly struct{}

// NewClient returns the client for Detect: it uses no proxy, and follows no
// redirect by itself. allowed are networks without public addresses; their
// servers may be asked; nil for someone who is no administrator. To whom not all
// are allowed, a server without a public address is one that does not exist: what
// names of a network inside lead to is not theirs to know. Where a redirect
// leads, only public addresses are asked, whatever is allowed. The
// address is looked at when the connection is made, so that no name can change
// between.
func NewClient(allowed []netip.Prefix) *http.Client {
	refused := errPrivate
	if !slices.Equal(allowed, Everywhere()) {
		refused = errAbsent
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSHandshakeTimeout: lookupTime, ResponseHeaderTimeout: lookupTime,
		MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			public, _ := ctx.Value(publicOnly{}).(bool)
			d := net.Dialer{Timeout: lookupTime, Control: func(_, address string, _ syscall.RawConn) error {
				a, err := netip.ParseAddrPort(address)
				if err != nil || !adapters.PublicAddress(a.Addr()) && (public || !within(allowed, a.Addr())) {
					return refused
				}
				return nil
			}}
			return d.DialContext(ctx, network, address)
		}}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Everywhere are all addresses, for an administrator.
func Everywhere() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

const (
	maxFile      = 256 << 10 // bytes of an answer
	maxRedirects = 3
)

// errAbsent is an answer that there is nothing.
var errAbsent = errors.New("presets: not found")

// get fetches a file by https, following redirects to https at public addresses.
func (d *detector) get(ctx context.Context, address string) ([]byte, error) {
	for hop := 0; ; hop++ {
		body, next, err := d.hop(ctx, address)
		if err != nil || next == "" {
			return body, err
		}
		if hop == maxRedirects {
			return nil, fmt.Errorf("presets: more than %d redirects", maxRedirects)
		}
		address, ctx = next, context.WithValue(ctx, publicOnly{}, true)
	}
}

// hop makes one request; next is where a redirect leads.
func (d *detector) hop(ctx context.Context, address string) (body []byte, next string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("User-Agent", "postino")
	client := *d.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		body, err = io.ReadAll(io.LimitReader(res.Body, maxFile+1))
		if err == nil && len(body) > maxFile {
			err = fmt.Errorf("presets: the answer has more than %d bytes", maxFile)
		}
		return body, "", err
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := r.URL.Parse(res.Header.Get("Location"))
		if err != nil || to.Scheme != "https" || to.User != nil || to.Hostname() == "" {
			return nil, "", fmt.Errorf("presets: a redirect to something other than https")
		}
		to.Fragment = ""
		return nil, to.String(), nil
	}
	if res.StatusCode < http.StatusInternalServerError && res.StatusCode != http.StatusTooManyRequests {
		return nil, "", errAbsent
	}
	return nil, "", &url.Error{Op: "Get", URL: address, Err: fmt.Errorf("presets: status %d", res.StatusCode)}
}

// absent returns err unless it says that there is nothing.
func absent(err error) error {
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}
