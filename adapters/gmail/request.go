package gmail

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
)

const maxAnswer = 1 << 20

var errQuiet = &quietError{}

// quietError is a request that made no progress for too long.
type quietError struct{}

func (*quietError) Error() string   { return "no progress" }
func (*quietError) Timeout() bool   { return true }
func (*quietError) Temporary() bool { return true }

// An answer is what came of one request.
type answer struct {
	status int // 0: none came, see err
	header http.Header
	body   []byte
	err    error // of the transport; nil when status is set
	handed bool  // the whole body may have reached the provider
	local  error // the message itself could not be read

	cancelled bool // a doubtful upload was ended before it could send
}

// A body is message bytes on their way out. It knows how far they came.
type body struct {
	r        io.Reader
	read     atomic.Int64
	wrote    atomic.Bool // the whole request
	cut      atomic.Bool // the connection failed before
	failed   atomic.Pointer[error]
	progress func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read.Add(int64(n))
	b.progress()
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed.Store(&err)
	}
	return n, err
}

// do makes one request and reads the answer. content may be nil. Nothing is
// ever repeated: without GetBody net/http repeats only what provably never
// left.
func (a *Adapter) do(ctx context.Context, method, url, token string, header http.Header, content io.Reader, size int64) answer {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(a.quiet, func() { cancel(errQuiet) })
	defer quiet.Stop()
	var over atomic.Bool
	defer over.Store(true)
	b := &body{r: content, progress: func() {
		if !over.Load() { // net/http may read on for a moment after an early answer
			quiet.Reset(a.quiet)
		}
	}}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: b.progress,
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			b.progress()
			b.wrote.Store(i.Err == nil)
			b.cut.Store(i.Err != nil)
		},
	})
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return answer{err: err}
	}
	if size > 0 {
		req.Body, req.ContentLength = io.NopCloser(b), size
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("User-Agent", "postino")
	resp, err := a.client.Do(req)
	ans := answer{}
	if err == nil {
		ans.status, ans.header = resp.StatusCode, resp.Header
		// A body that breaks off leaves the status in force; what is missing shows as garbage.
		ans.body, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		_ = resp.Body.Close()
	} else {
		ans.err = err
		if errors.Is(context.Cause(ctx), errQuiet) {
			ans.err = errQuiet
		}
	}
	// Bytes that the transport has taken may be anywhere between here and the
	// provider: only a body that was not taken whole is surely not there.
	ans.handed = b.wrote.Load() || b.read.Load() >= size && !b.cut.Load()
	if size == 0 {
		ans.handed = b.wrote.Load()
	}
	if adapters.NotProcessed(err) {
		ans.handed = false
	}
	if p := b.failed.Load(); p != nil {
		ans.local = *p
		ans.handed = false
	}
	return ans
}

// authorized makes a request with a token, and once more with a renewed one
// when the provider refused the first: a 401 comes before anything is done
// (contracts C4).
func authorized(ctx context.Context, src adapters.TokenSource, request func(token string) answer) (answer, error) {
	token, err := src.Token(ctx)
	if err != nil {
		return answer{}, err
	}
	ans := request(token)
	if ans.status != http.StatusUnauthorized {
		return ans, nil
	}
	if token, err = src.Renew(ctx, token); err != nil {
		return answer{}, err
	}
	return request(token), nil
}
