package gmail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// uploadLife is how long a session stays open.
const uploadLife = 7 * 24 * time.Hour

// A uploadSession is one session of a resumable upload (contracts C1.8, C2.3,
// C2.4). mu is held during a request on it.
type uploadSession struct {
	id, mailbox, thread string
	finish              func(c call, route, thread string, m *core.Message) (any, *apiError)
	path                *http.Request // that began it, with its path values
	expires             time.Time

	mu       sync.Mutex
	file     *os.File
	ended    bool
	received int64
	total    int64     // -1: not known yet
	sent     any       // the answer: the session is over
	refusal  *apiError // likewise
}

func (u *uploadSession) end() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.drop()
}

// drop removes the file; u.mu is held.
func (u *uploadSession) drop() error {
	if u.ended {
		return nil
	}
	u.ended = true
	return errors.Join(u.file.Close(), os.Remove(u.file.Name()))
}

// startUpload answers uploadType=resumable: 200 and the session's URI in Location.
func (g *Server) startUpload(c call) {
	h := c.r.Header
	if ct := h.Get("X-Upload-Content-Type"); !isMessageType(ct) {
		g.refuse(c, badMedia(ct))
		return
	}
	total := int64(-1)
	if v := h.Get("X-Upload-Content-Length"); v != "" {
		n, ok := digits(v)
		if !ok {
			g.refuse(c, &apiError{http.StatusBadRequest, "badRequest", "Invalid X-Upload-Content-Length"})
			return
		}
		if n > maxSize {
			g.tooLarge(c)
			return
		}
		total = n
	}
	var in metadata
	if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, 64<<10)).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		g.refuse(c, &apiError{http.StatusBadRequest, "parseError", "Parse Error"})
		return
	}
	after, answered := g.fault(c)
	if answered {
		return
	}
	file, err := g.core.CreateFile(".upload")
	if err != nil {
		g.core.Log.Error("an upload could not be started", "err", err)
		g.refuse(c, &apiError{http.StatusInternalServerError, "backendError", ""})
		return
	}
	u := &uploadSession{
		id: "ABg5-" + uuid.NewString(), mailbox: c.mailbox, thread: in.thread(), finish: c.finish, path: c.r,
		expires: g.core.Now().Add(uploadLife), file: file, total: total,
	}
	g.mu.Lock()
	g.uploads[u.id] = u
	g.mu.Unlock()
	if after() {
		return
	}
	q := url.Values{"uploadType": {"resumable"}, "upload_id": {u.id}}
	c.w.Header().Set("Location", g.core.Base(c.r, g.url)+c.r.URL.EscapedPath()+"?"+q.Encode())
	c.w.Header().Set("X-GUploader-UploadID", u.id)
	c.w.WriteHeader(http.StatusOK)
}

// session answers a request on the session's URI, which needs no token.
func (g *Server) session(w http.ResponseWriter, r *http.Request, id string) {
	if !g.core.Sleep(r.Context(), g.core.Switches().GmailLatency) {
		core.ResetHTTP(w)
		return
	}
	g.mu.Lock()
	u := g.uploads[id]
	g.mu.Unlock()
	c := call{w: w, r: r, op: "chunk"}
	if u == nil {
		g.core.Count("gmail.chunk")
		g.refuse(c, &apiError{http.StatusNotFound, "notFound", "No such upload session"})
		return
	}
	c.mailbox = u.mailbox
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "" && !g.sameMailbox(r, u):
		g.refuse(c, &apiError{http.StatusUnauthorized, "authError", ""})
	case u.sent != nil: // the last chunk, or the question, again
		core.WriteJSON(w, http.StatusOK, u.sent)
	case u.refusal != nil:
		g.refuse(c, u.refusal)
	case u.ended || !u.expires.After(g.core.Now()):
		g.refuse(c, &apiError{http.StatusGone, "uploadSessionGone", "The upload session is over"})
	case r.Method == http.MethodDelete:
		g.endUpload(u)
		w.WriteHeader(499) // "client closed request": cancelled
	case r.Method != http.MethodPut && r.Method != http.MethodPost:
		g.refuse(c, &apiError{http.StatusMethodNotAllowed, "httpMethodNotAllowed", ""})
	default:
		g.chunk(c, u)
	}
}

func (g *Server) sameMailbox(r *http.Request, u *uploadSession) bool {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	tok, ok := g.google.Verify(token)
	return ok && tok.Subject == u.mailbox
}

func (g *Server) endUpload(u *uploadSession) {
	if err := u.drop(); err != nil {
		g.core.Log.Error("an upload stays on disk", "err", err)
	}
}

// chunk takes bytes, a question or the end; u.mu is held.
func (g *Server) chunk(c call, u *uploadSession) {
	rng, refusal := u.rangeOf(c.r)
	final := refusal == nil && u.isFinal(rng)
	switch {
	case final:
		c.op = "send"
	case refusal == nil && rng.query:
		c.op = "status"
	}
	g.core.Count("gmail." + c.op)
	_, leave := g.core.Enter("gmail", c.mailbox)
	defer leave()
	if refusal != nil {
		g.refuse(c, refusal)
		return
	}
	n := int64(0)
	if !rng.query {
		var err error
		if n, err = u.write(c.r.Body, rng); err != nil {
			// What arrived whole stays, so that the upload can go on (C1.8).
			u.received += n / uploadUnit * uploadUnit
			g.broken(c, err)
			return
		}
	}
	after, answered := g.fault(c)
	if answered {
		return // as if the bytes had never arrived
	}
	u.received += n
	if rng.total >= 0 {
		u.total = rng.total
	}
	if !final {
		if !after() {
			u.incomplete(c)
		}
		return
	}
	g.finishUpload(c, u)
	switch {
	case after():
	case u.sent != nil:
		core.WriteJSON(c.w, http.StatusOK, u.sent)
	default:
		g.refuse(c, u.refusal)
	}
}

// finishUpload sends what was uploaded and ends the session.
func (g *Server) finishUpload(c call, u *uploadSession) {
	m, err := g.core.Receive(io.NewSectionReader(u.file, 0, u.received))
	g.endUpload(u)
	switch {
	case errors.Is(err, core.ErrHeaderTooLarge):
		u.refusal = invalidArgument("The message header is too large")
		return
	case err != nil:
		g.core.Log.Error("an upload could not be read", "err", err)
		u.refusal = &apiError{http.StatusInternalServerError, "backendError", ""}
		return
	}
	c.r = u.path
	u.sent, u.refusal = u.finish(c, "resumable", u.thread, m)
	if u.refusal != nil {
		u.sent = nil
	}
}

// rangeOf reads and checks the request's range. Without a Content-Range the
// body is the whole message.
func (u *uploadSession) rangeOf(r *http.Request) (contentRange, *apiError) {
	bad := func(format string, args ...any) (contentRange, *apiError) {
		return contentRange{}, &apiError{http.StatusBadRequest, "badRequest", fmt.Sprintf(format, args...)}
	}
	rng := contentRange{total: r.ContentLength, end: r.ContentLength - 1}
	if v := r.Header.Get("Content-Range"); v != "" {
		var err error
		if rng, err = parseContentRange(v); err != nil {
			return bad("%v", err)
		}
	} else if r.ContentLength <= 0 {
		return bad("Content-Range or Content-Length is missing")
	}
	size := rng.end - rng.start + 1
	switch {
	case rng.total > maxSize || rng.end >= maxSize:
		return rng, &apiError{http.StatusRequestEntityTooLarge, "uploadTooLarge", "Media too large. Limit: 36700160 bytes."}
	case rng.total >= 0 && u.total >= 0 && rng.total != u.total:
		return bad("The upload has %d bytes, not %d", u.total, rng.total)
	case rng.query && r.ContentLength > 0:
		return bad("A question carries no bytes")
	case rng.query:
		return rng, nil
	case rng.start != u.received:
		return bad("Invalid request. %d bytes have been received, the range begins at %d", u.received, rng.start)
	case u.total >= 0 && rng.end >= u.total:
		return bad("The range ends at %d, the upload has %d bytes", rng.end, u.total)
	case r.ContentLength >= 0 && r.ContentLength != size:
		return bad("The range has %d bytes, the body %d", size, r.ContentLength)
	case size%uploadUnit != 0 && !u.isFinal(rng):
		return bad("Invalid request.  The number of bytes uploaded is required to be equal or greater than 262144, except for the final "+
			"request (it's recommended to be the exact multiple of 262144).  The received request contained %d bytes, which does not meet this "+
			"requirement.", size)
	}
	return rng, nil
}

// isFinal reports whether the request completes the upload. "bytes */total"
// does when all bytes are there and their number was not known before.
func (u *uploadSession) isFinal(rng contentRange) bool {
	total := rng.total
	if total < 0 {
		total = u.total
	}
	if rng.query {
		return total >= 0 && u.received == total
	}
	return rng.end+1 == total
}

// write stores exactly the bytes of the range.
func (u *uploadSession) write(body io.Reader, rng contentRange) (int64, error) {
	size := rng.end - rng.start + 1
	n, err := io.Copy(io.NewOffsetWriter(u.file, rng.start), io.LimitReader(body, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, err
	}
	if extra, err := body.Read(make([]byte, 1)); extra > 0 {
		return 0, errors.New("the body is longer than its range")
	} else if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	return n, nil
}

// incomplete answers 308 with what has arrived, or 200 in the mode of Google's
// own clients (contracts C2.4).
func (u *uploadSession) incomplete(c call) {
	if u.received > 0 {
		c.w.Header().Set("Range", "bytes=0-"+strconv.FormatInt(u.received-1, 10))
	}
	if strings.EqualFold(c.r.Header.Get("X-GUploader-No-308"), "yes") {
		c.w.Header().Set("X-Http-Status-Code-Override", "308")
		c.w.WriteHeader(http.StatusOK)
		return
	}
	c.w.WriteHeader(http.StatusPermanentRedirect)
}
