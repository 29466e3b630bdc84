package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/localsocket"
	"github.com/postino-mail/postino/internal/view"
)

// configured are the listeners that a configuration names.
func configured(c *config.Config) (out []doctor.Listener) {
	for _, l := range c.SMTP {
		secure := cmp.Or(l.TLS, "optional")
		out = append(out, doctor.Listener{Kind: doctor.SMTP, Address: l.Address, TLS: secure, CertFile: l.CertFile, KeyFile: l.KeyFile,
			Auth: l.Auth != "off" && (secure != "none" || l.PlaintextAuth)})
	}
	if h := c.HTTP; h.Address != "" {
		secure := "none"
		if h.CertFile != "" {
			secure = "implicit"
		}
		out = append(out, doctor.Listener{Kind: doctor.HTTP, Address: h.Address, TLS: secure, CertFile: h.CertFile, KeyFile: h.KeyFile})
	}
	if path := c.HTTP.SocketPath(c.Data); path != "" {
		out = append(out, doctor.Listener{Kind: doctor.Socket, Address: path, TLS: "none"})
	}
	for i := range out {
		out[i].Configured = out[i].Address
	}
	return out
}

// running are the listeners of a server that listens at these addresses.
func running(c *config.Config, at Addresses) []doctor.Listener {
	out := configured(c)
	smtp := 0
	for i := range out {
		l := &out[i]
		switch l.Kind {
		case doctor.SMTP:
			l.Address = at.SMTP[smtp]
			smtp++
		case doctor.HTTP:
			l.Address = at.HTTP
		case doctor.Socket:
			l.Address = at.Socket
		}
		l.Running = l.Address != ""
	}
	return slices.DeleteFunc(out, func(l doctor.Listener) bool { return !l.Running }) // the socket is optional
}

// askRunning has an installation look at the listeners of the server that runs,
// where one answers at its socket, beside those of a configuration that was named:
// without one they are a guess.
func askRunning(ctx context.Context, in *doctor.Installation, own *ownListeners, socket string, named bool) {
	list, err := listenersOf(ctx, socket)
	if err != nil {
		if !errors.Is(err, errNoServer) {
			in.Unasked = err
		}
		in.Listeners = slices.DeleteFunc(in.Listeners, func(l doctor.Listener) bool { // 0: the system chose one
			_, port, err := net.SplitHostPort(l.Address)
			return err == nil && port == "0"
		})
		return
	}
	var smtp []string
	for _, l := range slices.Concat(list, in.Listeners) {
		if l.Kind == doctor.SMTP {
			smtp = append(smtp, l.Address)
		}
	}
	own.set(smtp)
	for _, l := range in.Listeners {
		same := func(r doctor.Listener) bool { return r.Kind == l.Kind && r.Configured == l.Configured }
		if i := slices.IndexFunc(list, same); i >= 0 {
			list[i].CertFile, list[i].KeyFile = l.CertFile, l.KeyFile
		} else if named {
			list = append(list, l)
		}
	}
	in.Listeners = list
}

var errNoServer = errors.New("no server runs")

// listenersOf asks the server at a socket where it listens.
func listenersOf(ctx context.Context, socket string) ([]doctor.Listener, error) {
	if socket == "" {
		return nil, errNoServer
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1/doctor?check=listener", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := throughSocket(socket).Do(req)
	switch {
	case localsocket.NoServer(err):
		return nil, errNoServer
	case err != nil:
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", socket, resp.Status)
	}
	var found view.Checkup
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, err
	}
	var out []doctor.Listener
	for _, l := range found.Listeners {
		out = append(out, doctor.Listener{Kind: l.Kind, Address: l.Address, Configured: l.Configured, TLS: l.TLS, Auth: l.Auth,
			Running: l.Running})
	}
	return out, nil
}
