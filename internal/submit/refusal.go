package submit

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Refusal is why a submission was not taken, in the terms of every entry point.
// Its text is safe to show.
type Refusal struct {
	Code     string // stable, such as "no_route", "too_large"
	SMTP     int    // reply code (RFC 5321)
	Enhanced string // RFC 3463
	HTTP     int    // status
	Field    string // of the request or the header, when one is to blame
	Message  adapters.Text
	Hint     adapters.Text
	Err      error // cause; never shown
}

func (r *Refusal) Error() string {
	if r.Hint.String() == "" {
		return r.Message.String()
	}
	return r.Message.String() + ": " + r.Hint.String()
}

func (r *Refusal) Unwrap() error { return r.Err }

// Temporary reports that the same submission may be taken later.
func (r *Refusal) Temporary() bool { return r.SMTP >= 400 && r.SMTP < 500 }

// AsRefusal returns the refusal in err's chain; any other error becomes a
// temporary refusal that does not show its cause. nil stays nil.
func AsRefusal(err error) *Refusal {
	var r *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		return r
	case errors.Is(err, store.ErrUnavailable):
		return &Refusal{Code: "store_unavailable", SMTP: 451, Enhanced: "4.3.0", HTTP: http.StatusServiceUnavailable, Err: err,
			Message: mime.NewText("submit.store_unavailable", "the message could not be stored and was not taken"),
			Hint:    mime.NewText("submit.store_unavailable_hint", "send it again later; the administrator should look at the disk or the database")}
	case errors.Is(err, store.ErrIdempotency):
		return refuse(http.StatusUnprocessableEntity, 554, "5.5.0", "idempotency_key", "",
			mime.NewText("submit.idempotency_key", "this Idempotency-Key was used with another request"),
			mime.NewText("submit.idempotency_key_hint", "use a new key for a new message"))
	}
	return &Refusal{Code: "internal", SMTP: 451, Enhanced: "4.3.0", HTTP: http.StatusInternalServerError, Err: err,
		Message: mime.NewText("submit.internal", "the message was not taken because of an error in the gateway"),
		Hint:    mime.NewText("submit.internal_hint", "send it again later; the log says more")}
}

func refuse(status, smtp int, enhanced, code, field string, message, hint mime.Text) *Refusal {
	return &Refusal{Code: code, SMTP: smtp, Enhanced: enhanced, HTTP: status, Field: field,
		Message: message, Hint: hint}
}

// badMessage is a refusal for what mime found wrong.
func badMessage(err error) error {
	var m *mime.Error
	if !errors.As(err, &m) {
		return err
	}
	r := refuse(http.StatusUnprocessableEntity, 554, "5.6.0", m.Code, m.Field, m.Message, mime.Text{})
	r.Err = err
	return r
}

// cannotCarry is a refusal for what an adapter's Check found, or why there is
// no adapter: a connection that cannot be used now will be put right.
func cannotCarry(c *gateway.Connection, e *adapters.Error) *Refusal {
	r := &Refusal{Code: string(e.Code), SMTP: 550, Enhanced: e.Enhanced, HTTP: http.StatusUnprocessableEntity,
		Message: e.Message, Hint: e.Hint, Err: e}
	switch {
	case e.TooLarge:
		r.SMTP, r.Enhanced, r.HTTP = 552, "5.3.4", http.StatusRequestEntityTooLarge
	case e.Class != adapters.Permanent:
		r.SMTP, r.Enhanced, r.HTTP = 451, "4.3.5", http.StatusServiceUnavailable // RFC 3463 section 3.4: system incorrectly configured
	}
	if r.Code == "" {
		r.Code = "connection_unusable"
	}
	if r.Enhanced == "" {
		r.Enhanced = "5.7.1"
	}
	r.Message = mime.NewText("submit.connection_cannot_carry", "connection {connection}: {message}", "connection", strconv.Quote(c.Name),
		"message", e.Message)
	return r
}
