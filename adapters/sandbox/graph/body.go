package graph

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// bodyKind is what an operation takes.
type bodyKind int

const (
	bodyNone    bodyKind = iota // Content-Length: 0 or no body
	bodyMessage                 // JSON, or base64 of MIME as text/plain
	bodyMIME
	bodyJSON
	bodyOptional // JSON, or no body at all
)

// A requestBody is a request body that was read: one of both.
type requestBody struct {
	mime *core.Message
	json []byte
}

// errBodyTooLarge says that the body is over the limit.
var errBodyTooLarge = errors.New("body too large")

// limitReader fails beyond n bytes, where io.LimitReader would end.
type limitReader struct {
	r io.Reader
	n int64
}

func (l *limitReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.n+1 {
		p = p[:l.n+1]
	}
	n, err := l.r.Read(p)
	if l.n -= int64(n); l.n < 0 {
		return 0, errBodyTooLarge
	}
	return n, err
}

// drain reads the rest of the body, so that a client in the middle of writing
// it gets the answer and not a reset connection. A client that waits for 100
// Continue is spared the upload.
func (c *call) drain() {
	if c.r.Header.Get("Expect") == "" {
		_, _ = io.Copy(io.Discard, c.r.Body) // a client that is gone needs no answer
	}
}

func (c *call) discardBody() {
	if c.body.mime == nil {
		return
	}
	if err := c.body.mime.Discard(); err != nil {
		c.g.core.Log.Error("a message stays on disk", "err", err)
	}
}

// takeMIME hands the message over to the caller, who keeps it.
func (c *call) takeMIME() *core.Message {
	m := c.body.mime
	c.body.mime = nil
	return m
}

// readBody reads what the operation takes, bounded by the limit (B2.1).
func (c *call) readBody() *apiError {
	e := c.readAllowed()
	if e != nil {
		c.drain()
	}
	return e
}

func (c *call) readAllowed() *apiError {
	if c.op.body == bodyOptional && c.r.ContentLength == 0 {
		return nil
	}
	if c.op.body == bodyNone {
		if n, err := io.Copy(io.Discard, io.LimitReader(c.r.Body, 1)); err != nil || n > 0 {
			return badRequest("This request takes no body.")
		}
		return nil
	}
	tooLarge := &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large."}
	if c.r.ContentLength > c.sw.GraphBodyLimit {
		return tooLarge
	}
	var body io.Reader = &limitReader{c.r.Body, c.sw.GraphBodyLimit}
	unsupported := func(what string) *apiError {
		return &apiError{http.StatusUnsupportedMediaType, "UnsupportedMediaType", what + " is not supported."}
	}
	switch enc := strings.ToLower(c.r.Header.Get("Content-Encoding")); {
	case enc == "" || enc == "identity":
	case enc == "gzip" && c.sw.GraphGzip: // B10.6
		z, err := gzip.NewReader(body)
		if err != nil {
			return badRequest("The gzip body cannot be read.")
		}
		body = &limitReader{z, c.sw.GraphBodyLimit}
	default:
		return unsupported("Content-Encoding " + enc)
	}
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "text/plain" && c.op.body != bodyJSON && c.op.body != bodyOptional:
		decoded, done := c.g.decodeBase64(body)
		c.body.mime, err = c.g.core.Receive(decoded)
		done()
	case err == nil && kind == "application/json" && c.op.body != bodyMIME:
		c.body.json, err = io.ReadAll(body)
	default:
		return unsupported("Content-Type " + c.r.Header.Get("Content-Type"))
	}
	switch {
	case errors.Is(err, errBodyTooLarge):
		return tooLarge
	case errors.Is(err, errBase64): // B1.4
		return &apiError{http.StatusBadRequest, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content."}
	case errors.Is(err, core.ErrHeaderTooLarge):
		return &apiError{http.StatusBadRequest, "ErrorMimeContentInvalid", "The MIME content is invalid."}
	case err != nil:
		return badRequest("The body ended early.")
	case c.body.mime != nil && c.body.mime.Size == 0: // B1.11
		return &apiError{http.StatusBadRequest, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content."}
	}
	return nil
}
