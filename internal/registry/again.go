package registry

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/pause"
)

// lookPause is the least time between two looks at the store that refusals ask
// for, however many refusals there are: they are no means to load the store.
const lookPause = 50 * time.Millisecond

// A looker has one refusal at a time look at the store; the others wait for it
// and take what it found.
type looker struct {
	turn chan struct{}
	last time.Time // of the last look; whoever has the turn owns it
}

func newLooker() looker { return looker{turn: make(chan struct{}, 1)} }

// do calls look, unless done says that another has looked meanwhile.
func (l *looker) do(ctx context.Context, done func() bool, look func() error) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.turn }()
	if done() {
		return nil
	}
	if wait := lookPause - time.Since(l.last); wait > 0 {
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
	l.last = time.Now()
	return look()
}

// LookAgain makes sure that the copy was compared with the store after since,
// and reports whether something has changed after since. Whoever is about to
// refuse something for good asks here first: the copy may lack the last edits.
// Looks are shared and at most twenty a second. After an error nothing is
// known, and the refusal must not be for good.
func (c *Connections) LookAgain(ctx context.Context, since time.Time) (changed bool, err error) {
	err = c.again.do(ctx, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.looked.After(since)
	}, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.looked = time.Time{}
		return c.look(ctx)
	})
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed.After(since), nil
}

// LookAgain is as that of Connections, for clients and their keys.
func (c *Clients) LookAgain(ctx context.Context, since time.Time) (changed bool, err error) {
	err = c.again.do(ctx, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.away == nil && c.looked.After(since)
	}, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		now := time.Now()
		if err := c.look(ctx); err != nil {
			return err
		}
		c.looked, c.away = now, nil
		c.known.Store(nil)
		return nil
	})
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed.After(since), nil
}
