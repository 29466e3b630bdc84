package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/semaphore"

	"github.com/postino-mail/postino/internal/spool"
)

// A bodyReader reads bodies within bounds of memory and disk, and checks JSON
// by its schema. Safe for concurrent use.
type bodyReader struct {
	schemas huma.Registry
	maxJSON int64               // bytes of a JSON body
	dir     string              // of the spool
	disk    *spool.Budget       // nil: unbounded
	memory  *semaphore.Weighted // bytes of memory for JSON and forms in work at once
	checks  *semaphore.Weighted // and for checking them
}

func newBodyReader(o *Options, schemas huma.Registry) *bodyReader {
	b := &bodyReader{schemas: schemas, maxJSON: o.MaxJSON, dir: o.SpoolDir, disk: o.Budget, checks: semaphore.NewWeighted(checkBudget)}
	b.memory = semaphore.NewWeighted(b.budget())
	return b
}

// freeJSON is the size up to which a JSON body waits for no other: so much for
// each connection is bounded well enough.
const freeJSON = 64 << 10

// jsonCost is how many bytes of memory one byte of JSON takes: as it came, as
// what is checked, and as what is made of it.
const jsonCost = 3

// readJSON reads a bounded JSON body. It is read into the spool first, so that a
// slow one keeps no memory. While a large one is in work, it counts against the
// server's budget; done returns that.
func (b *bodyReader) readJSON(r *http.Request) (body []byte, done func(), err error) {
	if r.ContentLength > b.maxJSON {
		return nil, nil, bodyTooLarge(b.maxJSON)
	}
	buffer, err := b.spool(r.Context(), freeJSON, b.maxJSON).Fill(r.Body)
	if errors.Is(err, spool.ErrTooLarge) {
		err = bodyTooLarge(b.maxJSON)
	}
	if err != nil {
		return nil, nil, bodyError(err)
	}
	body, done, err = b.load(r.Context(), buffer)
	if err := joinClose(err, buffer); err != nil {
		if done != nil {
			done()
		}
		return nil, nil, err
	}
	return body, done, nil
}

// load reads a spool into memory within the budget for JSON and forms.
func (b *bodyReader) load(ctx context.Context, buffer *spool.Buffer) (text []byte, done func(), err error) {
	done = func() {}
	if size := buffer.Size(); size > freeJSON {
		weight := min(size*jsonCost, b.budget())
		if err := b.memory.Acquire(ctx, weight); err != nil {
			return nil, nil, err
		}
		done = func() { b.memory.Release(weight) }
	}
	src, err := buffer.Source()
	if err == nil {
		text = make([]byte, buffer.Size())
		_, err = io.ReadFull(io.NewSectionReader(src, 0, buffer.Size()), text)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return text, done, nil
}

// spool is where a body goes, counted against the caller's share of the disk.
func (b *bodyReader) spool(ctx context.Context, memory int, max int64) *spool.Buffer {
	return spool.New(b.dir, memory, max).Charged(b.disk, caller(ctx).quotaKey())
}

// budget is the memory for JSON and forms in work at once.
func (b *bodyReader) budget() int64 { return 4 * b.maxJSON }

// bodyError separates a body that ended early from failures of the server.
func bodyError(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(http.StatusBadRequest, "invalid_request", "",
			text("api.body_cut_short", "the body ended before its Content-Length"),
			text("api.send_again", "send it again"))
	}
	return err
}

func joinClose(err error, c io.Closer) error {
	if cerr := c.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// An unmarkedBody is a body of JSON without the byte order mark before it: PowerShell
// and other programs of Windows write one, and RFC 8259 section 8.1 lets a reader
// overlook it.
type unmarkedBody struct {
	io.ReadCloser
	begun bool
	head  []byte // was read and not passed on
	err   error  // came behind head
}

// Read implements io.Reader.
func (b *unmarkedBody) Read(p []byte) (int, error) {
	if !b.begun && len(p) > 0 {
		b.begun = true
		head := make([]byte, len(utf8Mark))
		n, err := io.ReadFull(b.ReadCloser, head)
		if errors.Is(err, io.ErrUnexpectedEOF) && n < len(head) {
			err = nil // the next call returns what ended it
		}
		if b.head, b.err = head[:n], err; string(b.head) == utf8Mark {
			b.head = nil
		}
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

const utf8Mark = "\xef\xbb\xbf"
