package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/postino-mail/postino/internal/texterr"
)

// Health asks the server of this machine whether it would store a message now:
// through its unix socket in the data folder, or at url (/readyz of a listener).
// It returns nil for yes. For health checks of images that have no curl.
func Health(ctx context.Context, data, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	where := url
	if url == "" {
		where = filepath.Join(data, "http.sock")
		client, url = throughSocket(where), "http://localhost/readyz"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return exit(ExitUsage, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return exit(ExitUnavailable, texterr.Wrap(text("cli.no_server", "no server answers at {where}", "where", where), err))
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 2000))
	if err != nil {
		return exit(ExitUnavailable, err)
	}
	return exit(ExitTempFail, texterr.Wrap(text("cli.server_not_ready", "the server cannot take messages now (status {status})",
		"status", resp.StatusCode), fmt.Errorf("%s", body)))
}

// throughSocket is a client that asks the server at the other end of a unix
// socket, whatever host a URL names.
func throughSocket(path string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
}
