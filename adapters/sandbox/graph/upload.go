package graph

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// sessionLife is how long an upload session can be used.
const sessionLife = 2 * time.Hour

// uploads are the open upload sessions.
type uploads struct {
	mu   sync.Mutex
	open map[string]*session
}

// A session collects one attachment (B3 steps 2 to 4).
type session struct {
	id, token string
	mailbox   string
	item      string // immutable id of the draft
	itemPath  string // as it was addressed
	expires   time.Time
	size      int64
	att       *attachment

	mu   sync.Mutex // one chunk at a time
	next int64
	file *os.File
	done bool
}

func (g *Server) newSession(mailbox, itemPath string, a *attachment, size int64) (*session, error) {
	s := &session{mailbox: mailbox, itemPath: itemPath, expires: g.now().Add(sessionLife), size: size, att: a}
	var err error
	for _, v := range []*string{&s.id, &s.token, &a.id} {
		if *v, err = newItemID("AAMkAGU"); err != nil {
			return nil, err
		}
	}
	if s.file, err = g.core.CreateFile(".att"); err != nil {
		return nil, err
	}
	a.content = core.Blob{File: s.file.Name(), Size: size}
	return s, nil
}

func (s *session) path() string {
	return "/api/v2.0/Users('" + url.PathEscape(s.mailbox) + "')/Messages('" + url.PathEscape(s.itemPath) + "')/AttachmentSessions('" +
		url.PathEscape(s.id) + "')"
}

// discard removes the file of a session that did not end well.
func (s *session) discard(log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	s.done = true
	if err := s.file.Close(); err != nil {
		log.Error("an upload cannot be closed", "err", err)
	}
	if err := os.Remove(s.file.Name()); err != nil {
		log.Error("an upload stays on disk", "err", err)
	}
}

func (u *uploads) add(s *session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = make(map[string]*session)
	}
	u.open[s.id] = s
}

func (u *uploads) get(id string) *session {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open[id]
}

func (u *uploads) forget(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, id)
}

func (u *uploads) reset(log *slog.Logger) {
	u.mu.Lock()
	open := u.open
	u.open = nil
	u.mu.Unlock()
	for _, s := range open {
		s.discard(log)
	}
}

// uploadHandler is the upload host. The URL is its own proof: a token does not
// belong here and is refused (B3 step 3).
func (g *Server) uploadHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ops := map[string]string{http.MethodPut: "chunk", http.MethodDelete: "cancel", http.MethodGet: "status"}
		op := ops[r.Method]
		g.core.Count("upload." + op)
		stampIDs(w, r)
		fail := func(e *apiError) {
			if r.Header.Get("Expect") == "" {
				_, _ = io.Copy(io.Discard, r.Body) // a client that is gone needs no answer
			}
			g.writeError(w, r, e.status, e.code, e.text)
		}
		if op == "" {
			fail(&apiError{http.StatusMethodNotAllowed, "ErrorInvalidRequest", "The method is not allowed."})
			return
		}
		s, e := g.session(r)
		if e != nil {
			fail(e)
			return
		}
		_, leave := g.core.Enter("upload", s.mailbox)
		defer leave()
		if !g.core.Sleep(r.Context(), g.core.Switches().GraphLatency) {
			core.ResetHTTP(w)
			return
		}
		after, answered := g.core.HTTPFault(w, r, "upload", op, s.mailbox, g.writeError)
		if answered {
			return
		}
		g.serveSession(w, r, s, after, fail)
	})
}

func (g *Server) session(r *http.Request) (*session, *apiError) {
	if r.Header.Get("Authorization") != "" {
		return nil, &apiError{http.StatusUnauthorized, "InvalidAuthenticationToken",
			"The upload URL is pre-authenticated: send no Authorization header."}
	}
	_, rest, _ := strings.Cut(r.URL.Path, "/AttachmentSessions('")
	s := g.uploads.get(strings.TrimSuffix(rest, "')"))
	switch {
	case s == nil:
		return nil, itemNotFound()
	case subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("authtoken")), []byte(s.token)) != 1:
		return nil, &apiError{http.StatusUnauthorized, "InvalidAuthenticationToken", "The authtoken of the URL is not valid."}
	case !g.now().Before(s.expires): // B3.2
		g.uploads.forget(s.id)
		s.discard(g.core.Log)
		return nil, itemNotFound()
	}
	return s, nil
}

func (g *Server) serveSession(w http.ResponseWriter, r *http.Request, s *session, after func() bool, fail func(*apiError)) {
	switch r.Method {
	case http.MethodGet:
		s.mu.Lock()
		next := s.next
		s.mu.Unlock()
		if !after() {
			s.progress(w, next)
		}
	case http.MethodDelete:
		g.uploads.forget(s.id)
		s.discard(g.core.Log)
		if !after() {
			w.WriteHeader(http.StatusNoContent)
		}
	default:
		next, e := g.chunk(r, s)
		switch {
		case e != nil:
			fail(e)
		case after():
		case next < s.size:
			s.progress(w, next)
		default:
			path := strings.Replace(s.path(), "/AttachmentSessions('"+url.PathEscape(s.id), "/Attachments('"+url.PathEscape(s.att.id), 1)
			w.Header().Set("Location", g.core.Base(r, g.uploadURL)+path)
			w.WriteHeader(http.StatusCreated)
		}
	}
}

// progress answers as Outlook does: a capital E, and a range without dash.
func (s *session) progress(w http.ResponseWriter, next int64) {
	core.WriteJSON(w, http.StatusOK, map[string]any{
		"ExpirationDateTime": formatTime(s.expires), "nextExpectedRanges": []string{strconv.FormatInt(next, 10)},
	})
}

// chunk takes the next part. Nothing of a refused or broken one counts.
func (g *Server) chunk(r *http.Request, s *session) (next int64, e *apiError) {
	bad := func(status int, format string, args ...any) (int64, *apiError) {
		return 0, &apiError{status, "ErrorInvalidParameter", fmt.Sprintf(format, args...)}
	}
	start, end, total, ok := uploadRange(r.Header.Get("Content-Range"))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := end - start + 1; {
	case s.done:
		return 0, itemNotFound()
	case r.Header.Get("Content-Type") != "application/octet-stream":
		return bad(http.StatusUnsupportedMediaType, "Content-Type must be application/octet-stream.")
	case !ok:
		return bad(http.StatusBadRequest, "Content-Range must be 'bytes start-end/total'.")
	case total != s.size:
		return bad(http.StatusBadRequest, "Content-Range tells a total of %d, the session %d.", total, s.size)
	case r.ContentLength != n:
		return bad(http.StatusBadRequest, "Content-Length does not fit Content-Range.")
	case n > g.core.Switches().GraphBodyLimit: // B3.1
		return 0, &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "A range may have up to 4 MB."}
	case start != s.next:
		return bad(http.StatusRequestedRangeNotSatisfiable, "The range does not begin at %d: ranges are uploaded in order.", s.next)
	case end >= s.size:
		return bad(http.StatusRequestedRangeNotSatisfiable, "The range ends beyond the total.")
	default:
		got, err := io.Copy(io.NewOffsetWriter(s.file, start), r.Body)
		if err != nil || got != n {
			return bad(http.StatusBadRequest, "The body ended early.")
		}
		s.next += n
	}
	if s.next < s.size {
		return s.next, nil
	}
	return s.next, g.finishSession(s)
}

// finishSession attaches the file; the session's lock is held.
func (g *Server) finishSession(s *session) *apiError {
	g.uploads.forget(s.id)
	s.done = true
	e := (*apiError)(nil)
	if err := s.file.Close(); err != nil {
		e = &apiError{http.StatusInternalServerError, "", err.Error()}
	} else {
		e = g.boxes.with(s.mailbox, s.item, g.now(), func(it *item) *apiError {
			if it.submitted || it.busy {
				return itemNotFound()
			}
			return it.attach(g.now(), s.att)
		})
	}
	if e != nil {
		if err := os.Remove(s.file.Name()); err != nil {
			g.core.Log.Error("an upload stays on disk", "err", err)
		}
	}
	return e
}

// uploadRange reads "bytes start-end/total".
func uploadRange(v string) (start, end, total int64, ok bool) {
	v, found := strings.CutPrefix(v, "bytes ")
	span, all, found2 := strings.Cut(v, "/")
	from, to, found3 := strings.Cut(span, "-")
	if !found || !found2 || !found3 {
		return 0, 0, 0, false
	}
	var errs [3]error
	start, errs[0] = strconv.ParseInt(from, 10, 64)
	end, errs[1] = strconv.ParseInt(to, 10, 64)
	total, errs[2] = strconv.ParseInt(all, 10, 64)
	ok = errs == [3]error{} && start >= 0 && end >= start && total > 0
	return start, end, total, ok
}
