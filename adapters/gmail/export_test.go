package gmail

import (
	"context"
	"time"
)

// SkipPauses makes the waits of an upload end at once; they are told to seen.
func (a *Adapter) SkipPauses(seen func(time.Duration)) {
	a.pause = func(ctx context.Context, d time.Duration) error {
		if seen != nil {
			seen(d)
		}
		return ctx.Err()
	}
}
