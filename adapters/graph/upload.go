package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const (
	// chunkSize is the largest multiple of 320 KiB below 4 MB (contracts B3.1).
	chunkSize = 12 * 320 << 10
	// chunkTries bounds tries in a row without progress (four times as many in
	// all), stepTries those of other steps.
	chunkTries = 5
	stepTries  = 3
	// patience is the longest pause within one Send; a longer one is the outbox's.
	patience   = 15 * time.Second
	firstPause = 500 * time.Millisecond
)

// A session is an upload session's answer, at its creation and after a chunk.
// Keys come in two spellings, which encoding/json does not mind (contracts B3).
type session struct {
	UploadURL string   `json:"uploadUrl"`
	Next      []string `json:"nextExpectedRanges"`
}

// upload is contracts B3 steps 2 to 4. A chunk that is sent again is no second
// mail: chunks are addressed by their offset.
func (a *Adapter) upload(ctx context.Context, j *job, d *draft, t *attachment) error {
	item := map[string]any{"attachmentType": "file", "name": t.name, "size": t.size,
		"contentType": t.part.MediaType, "isInline": t.inline()}
	if t.part.ContentID != "" {
		item["contentId"] = t.part.ContentID
	}
	body, err := json.Marshal(map[string]any{"AttachmentItem": item})
	if err != nil {
		return a.local(err)
	}
	res, err := a.step(ctx, &request{
		op: "createUploadSession", method: http.MethodPost,
		url:         a.userURL(j.mailbox, "messages", d.ID, "attachments", "createUploadSession"),
		contentType: "application/json", header: map[string]string{"Prefer": immutable}, size: int64(len(body)),
		open: func() (io.Reader, error) { return bytes.NewReader(body), nil },
		want: []int{http.StatusCreated, http.StatusOK}, id: j.out.ID, job: j,
	})
	if err != nil {
		return err
	}
	var s session
	if err := json.Unmarshal(res.body, &s); err != nil || !a.uploadable(s.UploadURL) {
		return a.strange("createUploadSession", res, errors.Join(err, errors.New("graph: no usable uploadUrl")))
	}
	u := &uploader{a: a, j: j, t: t, url: s.UploadURL}
	if err := u.run(ctx); err != nil {
		u.cancel(ctx)
		return err
	}
	return nil
}

// uploadable keeps the content from going out in the clear. The host cannot
// be checked: that of national clouds is not known (contracts A4).
func (a *Adapter) uploadable(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(a.base, "http:")
}

// An uploader sends one attachment through one session.
type uploader struct {
	a   *Adapter
	j   *job
	t   *attachment
	url string // a secret: it carries its own authorization

	content io.Reader // positioned at offset at, nil when it has to be opened again
	at      int64
}

// run sends chunks in order and follows what the server expects next.
func (u *uploader) run(ctx context.Context) error {
	var pos int64
	for tries, all := 0, 0; ; {
		next, done, err := u.chunk(ctx, pos)
		switch {
		case err != nil && ctx.Err() != nil:
			return err
		case err == nil && done:
			return nil
		case err == nil && next > pos:
			pos, tries = next, 0
			continue
		}
		pos = next
		tries, all = tries+1, all+1
		if tries == chunkTries || all == 4*chunkTries {
			return u.failed(err)
		}
		pause := min(firstPause<<tries, patience)
		if err != nil {
			e := adapters.AsError(err)
			if e.TooLarge || e.RetryAfter > patience || gone(e.Status) {
				return u.failed(err)
			}
			pause = max(pause, e.RetryAfter)
		}
		if u.a.wait(ctx, pause) != nil {
			return u.failed(err)
		}
		if next, ok := u.status(ctx); ok {
			pos = next
		}
	}
}

// gone: the session has ended (contracts B3.2) or its URL is not accepted.
func gone(status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone || status == http.StatusUnauthorized || status == http.StatusForbidden
}

// failed makes of a chunk's failure one of the whole message: nothing was
// sent, and a new attempt gets a new session.
func (u *uploader) failed(err error) error {
	if err == nil {
		return u.a.strange("upload", &result{status: http.StatusOK}, errors.New("graph: the upload makes no progress"))
	}
	e := *adapters.AsError(err)
	if gone(e.Status) || e.Class == adapters.Permanent && !e.TooLarge {
		e.Class, e.Scope, e.Enhanced = adapters.Transient, adapters.ScopeMessage, "4.3.0"
		e.Message = mime.NewText("graph.upload_refused",
			"the upload session refused the attachment before it was complete")
		e.Hint = mime.NewText("graph.nothing_sent",
			"nothing was sent, postino retries automatically")
	}
	return &e
}

// chunk sends the octets from pos on.
func (u *uploader) chunk(ctx context.Context, pos int64) (next int64, done bool, err error) {
	end := min(pos+u.a.chunk, u.t.size)
	res, err := u.a.do(ctx, &request{
		op: "chunk", method: http.MethodPut, url: u.url, anonymous: true, contentType: "application/octet-stream",
		header: map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", pos, end-1, u.t.size)},
		size:   end - pos, open: func() (io.Reader, error) { return u.from(pos) },
		want: []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}, job: u.j,
	})
	if err != nil || !res.complete {
		u.content = nil // how much of it was read is not known
		return pos, false, err
	}
	u.at = end
	if res.status == http.StatusCreated {
		if end != u.t.size {
			return pos, false, u.a.strange("upload", res, errors.New("graph: finished too early"))
		}
		return end, true, nil
	}
	if next, ok := nextOffset(res.body, u.t.size); ok {
		return next, false, nil
	}
	return end, end == u.t.size, nil // no range is expected any more
}

// status asks which octet the session expects next. Where the question is not
// answered the last known offset stands.
func (u *uploader) status(ctx context.Context) (int64, bool) {
	res, err := u.a.do(ctx, &request{op: "uploadStatus", method: http.MethodGet, url: u.url, anonymous: true,
		want: []int{http.StatusOK}, job: u.j})
	if err != nil {
		return 0, false
	}
	return nextOffset(res.body, u.t.size)
}

// cancel ends the session (contracts B3), also when ctx has ended. It expires
// by itself, and its draft is deleted.
func (u *uploader) cancel(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), u.a.cleanup)
	defer cancel()
	if _, err := u.a.do(ctx, &request{op: "cancelUpload", method: http.MethodDelete, url: u.url, anonymous: true,
		want: []int{http.StatusNoContent, http.StatusOK, http.StatusNotFound}, job: u.j}); err != nil {
		u.a.log.DebugContext(ctx, "an upload session could not be cancelled", "err", err)
	}
}

// from returns the content from pos on; going on costs nothing, going back
// decodes from the start again.
func (u *uploader) from(pos int64) (io.Reader, error) {
	if u.content == nil || u.at != pos {
		u.content = u.t.open()
		if _, err := io.CopyN(io.Discard, u.content, pos); err != nil {
			u.content = nil
			return nil, err
		}
		u.at = pos
	}
	return u.content, nil
}

// nextOffset reads nextExpectedRanges in both forms: "2097152" as Outlook
// answers, and "2097152-" or "2097152-4194303" (contracts B3 step 3, B10.13).
func nextOffset(body []byte, size int64) (int64, bool) {
	var s session
	if json.Unmarshal(body, &s) != nil || len(s.Next) == 0 {
		return 0, false
	}
	first, _, _ := strings.Cut(strings.TrimSpace(s.Next[0]), "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil || n < 0 || n > size {
		return 0, false
	}
	return n, true
}
