package core

import (
	"slices"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// Configure changes switches; it holds for requests that begin afterwards.
// change must not call the Sandbox.
func (c *Core) Configure(change func(*control.Switches)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.set
	next.SMTPHide = slices.Clone(next.SMTPHide)
	change(&next)
	c.set = next
}

// Switches returns them as they are now; SMTPHide is not to be written to.
func (c *Core) Switches() control.Switches {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.set
}
