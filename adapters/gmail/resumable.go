package gmail

import (
	"context"
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
	maxStalls   = 5 // failures of an upload in a row without a byte gained
	statusOver  = 499
	settleQuery = 15 * time.Second
)

// An upload is one resumable session (contracts C1.8).
type upload struct {
	a       *Adapter
	src     adapters.TokenSource
	view    mime.Source
	out     adapters.Outgoing
	session string // a capability: never shown
	best    int64  // bytes that the provider once had
	stalls  int    // failures since it had that many
}

// sendResumable uploads in chunks. A chunk before the last may be repeated
// from where the provider says it stands: nothing is sent by it. The last one
// performs the send; it goes out once (contracts C2.5).
func (a *Adapter) sendResumable(ctx context.Context, src adapters.TokenSource, view mime.Source, out adapters.Outgoing) (answer, error) {
	u := &upload{a: a, src: src, view: view, out: out}
	if err := u.start(ctx); err != nil {
		return answer{}, err
	}
	ans, err := u.run(ctx)
	if err != nil {
		u.abandon(ctx)
	}
	return ans, err
}

// run uploads all chunks and returns the answer to the last.
func (u *upload) run(ctx context.Context) (answer, error) {
	total := u.view.Size()
	offset, known := int64(0), true // where the session stands, and whether that is sure
	for {
		n := min(u.a.chunk, total-offset)
		var ans answer
		var err error
		switch {
		case !known:
			ans, err = u.query(ctx)
		case offset+n == total:
			if ans, err = u.put(ctx, offset, n); err != nil {
				return answer{}, err
			}
			return u.settle(ctx, ans), nil
		default:
			ans, err = u.put(ctx, offset, n)
		}
		if err != nil {
			return answer{}, err
		}
		switch {
		case incomplete(ans):
			next := received(ans.header)
			if next < 0 || next > offset+n || next >= total {
				return answer{}, u.a.protocolError("an upload that stands nowhere")
			}
			gained := next > u.best
			u.best, offset, known = max(u.best, next), next, true
			if gained {
				u.stalls = 0
				continue
			}
		case passing(ans):
			known = false
		default:
			return answer{}, u.a.failure(ans, false)
		}
		if err := u.stall(ctx, ans); err != nil {
			return answer{}, err
		}
	}
}

// stall waits after a failure, longer each time, and gives up after some.
func (u *upload) stall(ctx context.Context, ans answer) error {
	u.stalls++
	wait := max(time.Second<<(u.stalls-1), retryAfter(ans.header, u.a.now()))
	if u.stalls > maxStalls || wait > time.Minute { // the queue waits better than a kept session
		return u.a.stalled(ans)
	}
	if err := u.a.pause(ctx, wait); err != nil {
		return u.a.network(err)
	}
	return nil
}

// start opens the session. Its address is taken from the Location without the
// host: the token and the message go to no other place than the connection's.
func (u *upload) start(ctx context.Context) error {
	header := http.Header{
		"X-Upload-Content-Type":   {"message/rfc822"},
		"X-Upload-Content-Length": {strconv.FormatInt(u.view.Size(), 10)},
	}
	ans, err := authorized(ctx, u.src, func(token string) answer {
		return u.a.do(ctx, http.MethodPost, u.a.base+uploadPath+"?uploadType=resumable", token, header, nil, 0)
	})
	if err != nil {
		return err
	}
	if ans.status != http.StatusOK {
		return u.a.failure(ans, false)
	}
	loc, err := url.Parse(ans.header.Get("Location"))
	if err != nil || !strings.HasPrefix(loc.EscapedPath(), "/") || loc.RawQuery == "" {
		return u.a.protocolError("no session address")
	}
	u.session = u.a.base + loc.EscapedPath() + "?" + loc.RawQuery
	return nil
}

func (u *upload) put(ctx context.Context, offset, n int64) (answer, error) {
	header := http.Header{
		"Content-Type":  {"message/rfc822"},
		"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", offset, offset+n-1, u.view.Size())},
	}
	return authorized(ctx, u.src, func(token string) answer {
		return u.a.do(ctx, http.MethodPut, u.session, token, header, u.out.Permitted(io.NewSectionReader(u.view, offset, n)), n)
	})
}

// query asks where the upload stands.
func (u *upload) query(ctx context.Context) (answer, error) {
	header := http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", u.view.Size())}}
	return authorized(ctx, u.src, func(token string) answer {
		return u.a.do(ctx, http.MethodPut, u.session, token, header, nil, 0)
	})
}

// settle looks at the answer to the last chunk. When it was lost, the session
// can still tell: a Message means that it was sent; a session that says it is
// incomplete and lets itself be cancelled can send no more. Everything else
// stays unknown. Nothing is uploaded again.
func (u *upload) settle(ctx context.Context, ans answer) answer {
	success := ans.status == http.StatusOK || ans.status == http.StatusCreated
	doubtful := ans.err != nil && ans.handed || ans.status >= 500 || incomplete(ans) || success && messageID(ans.body) == ""
	if !doubtful {
		if ans.status == 0 {
			u.abandon(ctx)
		}
		return ans
	}
	if ctx.Err() != nil { // the caller is gone and wants no more requests
		return ans
	}
	ctx, cancel := context.WithTimeout(ctx, settleQuery)
	defer cancel()
	q, err := u.query(ctx)
	if err != nil {
		return ans
	}
	if messageID(q.body) != "" && (q.status == http.StatusOK || q.status == http.StatusCreated) {
		return q
	}
	if incomplete(q) && u.cancel(ctx) {
		ans.cancelled = true
	}
	return ans
}

// cancel ends the session; true when the provider confirms that it is over.
func (u *upload) cancel(ctx context.Context) bool {
	ans, err := authorized(ctx, u.src, func(token string) answer {
		return u.a.do(ctx, http.MethodDelete, u.session, token, nil, nil, 0)
	})
	return err == nil && (ans.status == statusOver || ans.status == http.StatusNoContent)
}

// abandon tidies up a session that will not be used any more. Sessions end by
// themselves after days, so that a failure does not matter.
func (u *upload) abandon(ctx context.Context) {
	if ctx.Err() != nil {
		return // the caller does not wait
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = u.cancel(ctx)
}

// incomplete reports "Resume Incomplete", also in the dress that Google's own
// clients ask for (contracts C2.4).
func incomplete(ans answer) bool {
	return ans.status == http.StatusPermanentRedirect ||
		ans.status == http.StatusOK && ans.header.Get("X-Http-Status-Code-Override") == "308"
}

// received is the number of bytes that the session has, -1 when it cannot be read.
func received(h http.Header) int64 {
	v := h.Get("Range")
	if v == "" {
		return 0 // nothing yet
	}
	end, ok := strings.CutPrefix(v, "bytes=0-")
	if !ok {
		return -1
	}
	n, err := strconv.ParseInt(end, 10, 63)
	if err != nil || n < 0 {
		return -1
	}
	return n + 1
}

// passing reports a failure after which the same session can go on.
func passing(ans answer) bool {
	return ans.local == nil && ans.status == 0 || ans.status >= 500 ||
		ans.status == http.StatusTooManyRequests || ans.status == http.StatusRequestTimeout
}
