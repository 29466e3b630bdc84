package tokens

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"time"
)

const maxAnswer = 1 << 20 // far beyond any token answer; what is longer is garbage

// An exchange carries the HTTP requests of one fetch for a vendor library and
// keeps the last answer, or the error in its place: the libraries hide both
// behind texts that hold bodies (contracts A6.12, A6.13, C6.5, C6.6). It is
// used by one goroutine at a time.
type exchange struct {
	ctx    context.Context
	client *http.Client
	direct *http.Client // past every proxy
	getenv func(string) string
	now    func() time.Time
	host   string

	step        step // what is being asked for
	requests    int
	status      int
	header      http.Header
	body        []byte
	at          time.Time // local clock when the answer came
	err         error
	certificate *x509.Certificate // that the assertion is signed with, if any
	account     string            // that Google signs for
	clientID    string            // numeric id of the service account, as its key file tells it
}

// Do implements policy.Transporter of azcore.
func (x *exchange) Do(req *http.Request) (*http.Response, error) {
	x.requests++
	x.status, x.header, x.body, x.err = 0, nil, nil, nil
	x.host = req.URL.Host
	resp, err := x.client.Do(req)
	x.at = x.now()
	if err != nil {
		x.err = err
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close() // the body has been read or has failed
	if err != nil {
		x.err = err
		return nil, err
	}
	x.status, x.header, x.body = resp.StatusCode, resp.Header, body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// RoundTrip implements http.RoundTripper for x/oauth2, which loses the
// context on the way (contracts C6.4).
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	return x.Do(req.Clone(x.ctx))
}
