package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// Routes as the receipt names them.
const (
	routeMIME   = "mime"
	routeUpload = "upload-session"
)

// Send hands the message over: as it is up to MIMECeiling, by draft above.
func (a *Adapter) Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	j, err := a.prepare(out)
	if err != nil {
		return adapters.Receipt{}, err
	}
	if j.view.Size() > a.ceiling {
		return a.sendLarge(ctx, j)
	}
	return a.sendMIME(ctx, j)
}

// sendMIME is contracts B1.1 and B1.3.
func (a *Adapter) sendMIME(ctx context.Context, j *job) (adapters.Receipt, error) {
	var sum hash.Hash
	res, err := a.do(ctx, &request{
		op: "sendMail", method: http.MethodPost, url: a.userURL(j.mailbox, "sendMail"), sends: true,
		contentType: "text/plain", size: base64Len(j.view.Size()),
		open: func() (io.Reader, error) {
			sum = sha256.New()
			return j.out.Permitted(newBase64(mime.NewReader(j.view), j.view.Size(), sum)), nil
		},
		want: []int{http.StatusAccepted}, id: j.out.ID, job: j,
	})
	if err != nil {
		return adapters.Receipt{}, err
	}
	r := a.receipt(j, routeMIME, res)
	r.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return r, nil
}

// receipt is the evidence of a 202, which accepts all recipients or none
// (contracts F4).
func (a *Adapter) receipt(j *job, route string, res *result) adapters.Receipt {
	r := adapters.Receipt{Provider: adapters.Graph, Route: route, MessageID: j.out.Message.MessageID(),
		Status: res.status, Bytes: j.view.Size(), At: a.now()}
	if id := requestID(res.header); printable(id) {
		r.RequestID = id
	}
	for _, addr := range j.out.Addresses() {
		r.Recipients = append(r.Recipients, adapters.RecipientResult{Address: addr})
	}
	return r
}
