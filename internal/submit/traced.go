package submit

import (
	"github.com/postino-mail/postino/internal/telemetry"
)

// traced ends the span of a submission. The messages keep it, so that their
// attempts are found under it.
func traced(span *telemetry.Span, entryPoint string, out []Result, err error) {
	span.String("postino.entry_point", entryPoint)
	if err != nil {
		span.Fail(AsRefusal(err).Code)
	} else {
		span.Int("postino.messages", int64(len(out)))
		span.String("postino.message", out[0].ID.String()) // of several the first one
		if c := out[0].Connection; c != nil {
			span.String("postino.connection", c.ID)
			span.String("postino.provider", string(c.Provider))
		}
	}
	span.End()
}
