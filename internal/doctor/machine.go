package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/texterr"
)

const mb = 1 << 20

// Bounds of what is worth a warning.
const (
	lowSpace  = 1 << 30
	slowFsync = 50 * time.Millisecond
)

// disk looks at the room in the data folder and at how long a sync takes there:
// every message waits for one.
func (c *checkup) disk() {
	if c.Folder == "" {
		return
	}
	free, err := c.Free(c.Folder)
	switch {
	case err != nil:
		c.bad("disk", text("doctor.disk_unreadable", "the free space of {folder} cannot be read: {reason}", "folder", c.Folder, "reason",
			texterr.Reason{Err: err}), text("doctor.disk_unreadable_hint", "check that the folder exists and that this user may use it"))
		return
	case free < c.Reserve:
		c.bad("disk", text("doctor.disk_full",
			"{folder} has {free} MB free, less than the reserve of {reserve} MB: messages are refused", "folder",
			c.Folder, "free", free/mb, "reserve", c.Reserve/mb),
			text("doctor.disk_hint", "make room, or shorten [retention] in the configuration"))
	case free < lowSpace:
		c.warn("disk", text("doctor.disk_low", "{folder} has only {free} MB free", "folder", c.Folder, "free", free/mb),
			text("doctor.disk_hint", "make room, or shorten [retention] in the configuration"))
	default:
		c.good("disk", text("doctor.disk_ok", "{folder} has {free} MB free", "folder", c.Folder, "free", free/mb))
	}
	took, err := fsync(c.Folder)
	ms := took.Milliseconds()
	switch {
	case err != nil:
		c.bad("fsync", text("doctor.fsync_failed", "nothing can be written and synced in {folder}: {reason}", "folder", c.Folder, "reason",
			texterr.Reason{Err: err}), text("doctor.disk_unreadable_hint", "check that the folder exists and that this user may use it"))
	case took > slowFsync:
		c.warn("fsync", text("doctor.fsync_slow", "a sync in {folder} takes {ms} ms, and each message waits for one", "folder",
			c.Folder, "ms", ms),
			text("doctor.fsync_hint", "put the data folder on a faster disk, best one that keeps what it confirmed when power fails"))
	default:
		c.good("fsync", text("doctor.fsync_ok", "a sync in {folder} takes {ms} ms", "folder", c.Folder, "ms", ms))
	}
}

// fsync is the middle one of five syncs of a small file.
func fsync(dir string) (took time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var all []time.Duration
	block := make([]byte, 4096)
	for range 5 {
		begun := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// listeners calls each listener as a program would.
func (c *checkup) listeners(ctx context.Context) {
	for _, l := range c.Listeners {
		if err := call(ctx, l); err != nil {
			c.bad("listener", text("doctor.listener_silent", "the listener {kind} {address} does not answer: {reason}", "kind",
				l.Kind, "address",
				l.Address, "reason", texterr.Reason{Err: err}),
				text("doctor.listener_hint", "start the server ('postino serve'), and look into its log why it does not listen there"))
			continue
		}
		c.good("listener", text("doctor.listener_ok", "the listener {kind} {address} answers", "kind", l.Kind, "address", l.Address))
	}
}

// call connects to a listener and waits for its first answer. Which certificate it
// shows does not matter here.
func call(ctx context.Context, l Listener) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	network, address := "tcp", reachable(l.Address)
	if l.Kind == "socket" {
		network, address = "unix", l.Address
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return err
		}
	}
	if l.TLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only whether it answers; nothing is sent
	}
	if l.Kind == "smtp" {
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "220") && !strings.HasPrefix(line, "4") && !strings.HasPrefix(line, "5") {
			err = errors.New("this is no SMTP server")
		}
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/healthz", nil)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz answers %d", resp.StatusCode)
	}
	return nil
}

// reachable is where a listener on all addresses is called.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// certificates looks at those of the listeners.
func (c *checkup) certificates() {
	var seen []string
	for _, l := range c.Listeners {
		if l.CertFile == "" || slices.Contains(seen, l.CertFile) {
			continue
		}
		seen = append(seen, l.CertFile)
		pair, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
		if err != nil {
			c.bad("certificate", text("doctor.certificate_unreadable", "the certificate {file} cannot be used: {reason}", "file",
				l.CertFile,
				"reason", texterr.Reason{Err: err}), text("doctor.certificate_unreadable_hint",
				"correct cert_file and key_file: two PEM files that belong together"))
			continue
		}
		now, leaf := c.now(), pair.Leaf
		days := int(leaf.NotAfter.Sub(now).Hours() / 24)
		day := leaf.NotAfter.UTC().Format(time.DateOnly)
		switch {
		case now.Before(leaf.NotBefore):
			c.bad("certificate", text("doctor.certificate_not_yet", "the certificate {file} is not valid before {day}", "file",
				l.CertFile, "day",
				leaf.NotBefore.UTC().Format(time.DateOnly)), text("doctor.certificate_clock", "set this machine's clock (NTP)"))
		case now.After(leaf.NotAfter):
			c.bad("certificate", text("doctor.certificate_expired", "the certificate {file} ended on {day}: programs refuse it",
				"file", l.CertFile,
				"day", day), text("doctor.certificate_renew", "renew it; the server reads it again by itself"))
		case days < 14:
			c.warn("certificate", text("doctor.certificate_ends", "the certificate {file} ends on {day}", "file", l.CertFile, "day", day),
				text("doctor.certificate_renew", "renew it; the server reads it again by itself"))
		default:
			c.good("certificate", text("doctor.certificate_ok", "the certificate {file} is valid until {day}", "file", l.CertFile,
				"day", day))
		}
	}
}

// hostname asks DNS for the gateway's own name: servers look it up.
func (c *checkup) hostname(ctx context.Context) {
	if c.Hostname == "" {
		return
	}
	hint := text("doctor.hostname_hint", "set hostname in the configuration to this machine's full domain name, one that DNS knows")
	if strings.HasSuffix(c.Hostname, ".localdomain") {
		c.warn("dns", text("doctor.hostname_made_up", "the gateway has no name of its own and calls itself {name}", "name",
			c.Hostname), hint)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, c.Hostname)
	if err != nil {
		c.warn("dns", text("doctor.hostname_unknown", "DNS does not know the gateway's name {name}", "name", c.Hostname), hint)
		return
	}
	c.good("dns", text("doctor.hostname_ok", "the gateway's name {name} is in DNS ({addresses})", "name", c.Hostname, "addresses",
		strings.Join(addrs[:min(len(addrs), 4)], ", ")))
}
