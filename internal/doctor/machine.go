package doctor

import (
	"context"
	"errors"
	"net"
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
