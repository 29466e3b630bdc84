// Package core holds what the sandbox's servers share: switches, faults, counters,
// received messages, a private CA and HTTPS listeners.
package core

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// A Core belongs to one sandbox. Safe for concurrent use.
type Core struct {
	Dir string // absolute
	Log *slog.Logger

	tempDir   bool // Dir is ours to remove
	clock     func() time.Time
	ca        *authority
	store     *store
	faults    faultList
	counters  counters
	flights   flights
	listeners listeners
	vendors   vendors
	ports     map[string]int // fixed ones, by server
	directory directory

	copyBuffers sync.Pool // of *[copySize]byte

	ctx    context.Context // ends with Cancel; delays and streams end with it
	cancel context.CancelFunc

	first control.Switches // at the start, and after Reset
	mu    sync.RWMutex
	set   control.Switches
}

// New makes folder, CA and message store. dir, log and now may be zero: a
// temporary folder, silence, and time.Now. With anyMailbox every address is a mailbox
// that sends as any other. ports are fixed ports by the name that a server gives to
// Listen; a server that is not named takes a free one.
func New(dir string, log *slog.Logger, now func() time.Time, anyMailbox bool, ports map[string]int) (*Core, error) {
	c := &Core{Dir: dir, Log: log, clock: now, first: control.DefaultSwitches(), ports: ports}
	if anyMailbox {
		c.directory.any, c.first.GraphFrom = true, "keep"
	}
	c.set = c.first
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Core) prepare() error {
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "postino-sandbox-")
		if err != nil {
			return fmt.Errorf("no temporary folder: %w", err)
		}
		c.Dir, c.tempDir = dir, true
	}
	var err error
	// Files are named absolutely: connections carry the names, and a program that
	// reads a connection may run in another folder.
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if c.store, err = newStore(c.Dir); err != nil {
		return fmt.Errorf("message store: %w", err)
	}
	if c.ca, err = newAuthority(c.Dir); err != nil {
		return fmt.Errorf("private CA: %w", err)
	}
	return nil
}

// Cancel ends all delays and streams: it comes before the servers' own Close.
func (c *Core) Cancel() { c.cancel() }

// Context ends with Cancel.
func (c *Core) Context() context.Context { return c.ctx }

// Close ends the HTTP servers and their requests, closes the message store and
// removes a temporary folder.
func (c *Core) Close() error {
	c.cancel()
	errs := []error{c.listeners.close()}
	if c.store != nil {
		errs = append(errs, c.store.close())
	}
	if c.tempDir {
		errs = append(errs, os.RemoveAll(c.Dir))
	}
	return errors.Join(errs...)
}

// Reset forgets switches, faults and counters.
func (c *Core) Reset() {
	c.mu.Lock()
	c.set = c.first
	c.mu.Unlock()
	c.faults.clear()
	c.counters.reset()
	c.flights.reset()
}

// ResetMessages forgets the deliveries. The servers must have forgotten theirs.
func (c *Core) ResetMessages() {
	if err := c.store.reset(); err != nil {
		c.Log.Error("old messages stay on disk", "err", err)
	}
}

// CreateFile opens a new file for a large message or an attachment.
func (c *Core) CreateFile(ext string) (*os.File, error) { return c.store.create(ext) }

// Keep stores a small content.
func (c *Core) Keep(content []byte) (Blob, error) { return c.store.keep(content) }

// CAFile is the PEM file of the private CA.
func (c *Core) CAFile() string { return c.ca.file }

// CAPEM is its content.
func (c *Core) CAPEM() []byte { return c.ca.pem }

// CertPool holds the private CA.
func (c *Core) CertPool() *x509.CertPool { return c.ca.pool }

// RandomBytes returns n random bytes.
func RandomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := rand.Read(b)
	return b, err
}

// Now is the sandbox's clock.
func (c *Core) Now() time.Time { return c.clock() }

// Sleep waits in real time. It is false when ctx or the sandbox ended first.
func (c *Core) Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil && c.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return false
}
