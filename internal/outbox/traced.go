package outbox

import (
	"cmp"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/telemetry"
)

// startAttempt begins the span of an attempt, under that of its message's submission.
// The context that the adapter gets does not have it: a provider is told of no trace.
func (o *Outbox) startAttempt(c *store.Claimed) *telemetry.Span {
	span := o.opt.Tracer.Continue(c.Message.Trace, "attempt", telemetry.Consumer)
	if span != nil {
		span.String("postino.message", c.Message.ID.String())
		span.String("postino.delivery", c.Delivery.ID.String())
		span.String("postino.connection", c.Delivery.Route.Connection)
		span.Int("postino.attempt", int64(c.Lease.No))
	}
	return span
}

// attempted says what came of an attempt.
func attempted(span *telemetry.Span, d *decision) {
	if span == nil {
		return
	}
	span.String("postino.class", string(d.outcome.Class))
	span.String("postino.state", d.transition.State.String())
	if e := d.outcome.Error; e != nil {
		span.Fail(cmp.Or(string(e.Code), string(e.Class)))
	}
}

// called ends the span of a call of the provider.
func called(span *telemetry.Span, conn *gateway.Connection, r *result) {
	if span == nil {
		return
	}
	span.String("postino.provider", string(conn.Provider))
	span.String("postino.route", r.receipt.Route)
	status, id := r.receipt.Status, r.receipt.RequestID
	if e := r.err; e != nil {
		status, id = e.Status, e.RequestID
		span.Fail(cmp.Or(string(e.Code), string(e.Class)))
	}
	span.String("postino.request_id", id)
	if name := "http.response.status_code"; status != 0 {
		if conn.Provider == adapters.SMTP {
			name = "postino.smtp_reply"
		}
		span.Int(name, int64(status))
	}
	span.End()
}
