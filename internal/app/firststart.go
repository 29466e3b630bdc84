package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// pageURLSetting is the setting with the address at which browsers reach the server,
// so that commands on the same store print whole links.
const pageURLSetting = "page_url"

// A FirstStart is the link by which the first administrator is made.
type FirstStart struct {
	URL       string // has a secret, so it is printed and never logged
	ExpiresAt time.Time
}

// Print shows the link, and what it is for.
func (f *FirstStart) Print(w io.Writer, lang string) {
	fmt.Fprintf(w, "setup %s\n", f.URL)
	fmt.Fprintln(w, text("serve.first_start", "No one can sign in yet: open the link above to make the first administrator. It is good once, "+
		"until {time}; each start makes a new one.", "time", terminal.Time(f.ExpiresAt)).In(lang))
}

// firstStart notes where browsers reach the server and, where the store has no person
// yet, makes a new link for the first one; links of earlier starts are void. nil: there
// are people, or no browser reaches this server.
func (s *server) firstStart(ctx context.Context, httpAddress string) (*FirstStart, error) {
	base := s.pageURL(httpAddress)
	if base == "" {
		return nil, nil
	}
	s.page.Store(&base)
	if err := notePageURL(ctx, s.store, base); err != nil {
		return nil, texterr.Wrap(mime.NewText("serve.page_url_not_stored", "the address of this server cannot be stored"), err)
	}
	i, err := s.people.Setup(ctx)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("serve.no_first_link", "the link for the first administrator cannot be made"), err)
	}
	if i == nil {
		return nil, nil
	}
	return &FirstStart{URL: i.URL(base), ExpiresAt: i.ExpiresAt}, nil
}

// reachedAt is where browsers reach the server; empty: nowhere.
func (s *server) reachedAt() string {
	if base := s.page.Load(); base != nil {
		return *base
	}
	return ""
}

// pageURL is where browsers reach the server: the public URL, or the listener's
// address, by the server's name where it listens on all addresses. Empty: only
// programs of this machine reach it, through the unix socket.
func (s *server) pageURL(httpAddress string) string {
	c := &s.conf.HTTP
	if c.PublicURL != "" || httpAddress == "" {
		return c.PublicURL
	}
	scheme := "http://"
	if c.CertFile != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(httpAddress)
	if err != nil {
		return scheme + httpAddress
	}
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		host = s.conf.Hostname
	}
	return scheme + net.JoinHostPort(host, port)
}

// notePageURL stores the address unless it is there already.
func notePageURL(ctx context.Context, st store.Settings, base string) error {
	noted, err := st.Setting(ctx, pageURLSetting)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if noted == base {
		return nil
	}
	return st.SetSetting(ctx, pageURLSetting, base)
}

// notedPageURL is where browsers reached the server at its last start; empty: it has
// never run with a listener for them.
func notedPageURL(ctx context.Context, st store.Settings) (string, error) {
	base, err := st.Setting(ctx, pageURLSetting)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return base, err
}
