package graph

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// Probe tests token, reachability and access with the least permission: it
// posts to sendMail what is no base64, which Graph refuses with
// ErrorMimeContentInvalidBase64String and can never send.
// Only an answer that names a reason before the content is a failure. It is
// no proof that a message will pass.
//
// A connection for any sender of a domain without a mailbox of its own has no
// mailbox to ask: there only token and reachability are tested.
func (a *Adapter) Probe(ctx context.Context) error {
	// contracts A3.5, B1.4, B1.9
	mailbox := a.conn.Mailbox("")
	if mailbox == "" {
		_, err := a.do(ctx, &request{op: "probe", method: http.MethodGet, url: a.base + "/", want: []int{http.StatusOK}})
		return err
	}
	const body = "!"
	_, err := a.do(ctx, &request{op: "probe", method: http.MethodPost, url: a.userURL(mailbox, "sendMail"),
		contentType: "text/plain", size: int64(len(body)), open: func() (io.Reader, error) { return strings.NewReader(body), nil },
		job: &job{mailbox: mailbox, from: mailbox}})
	switch e := adapters.AsError(err); {
	case e == nil:
		return nil
	case e.Status == http.StatusBadRequest && e.Class == adapters.Permanent && e.RequestID != "",
		e.Code == "ErrorMimeContentInvalidBase64String", e.Code == "ErrorMimeContentInvalid":
		return nil
	default:
		return e
	}
}
