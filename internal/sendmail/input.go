package sendmail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/postino-mail/postino/internal/spool"
)

// readMessage reads standard input to its end or, unless dots are ignored, to a
// line of one dot, however long that takes. A message without a header gets an
// empty one.
func readMessage(ctx context.Context, stdin io.Reader, ignoreDots bool) (*spool.Buffer, error) {
	type result struct {
		b   *spool.Buffer
		err error
	}
	done := make(chan result, 1)
	go func() { // a read cannot be broken off
		b := spool.New("", 1<<20, 0)
		if err := copyMessage(b, stdin, ignoreDots); err != nil {
			done <- result{nil, errors.Join(fmt.Errorf("the message cannot be read: %w", err), b.Close())}
			return
		}
		done <- result{b, nil}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func copyMessage(w io.Writer, stdin io.Reader, ignoreDots bool) error {
	in := bufio.NewReaderSize(stdin, 64<<10)
	start, first := true, true // of a line; of the message
	for {
		part, err := in.ReadSlice('\n')
		if start && err == nil && !ignoreDots && (string(part) == ".\n" || string(part) == ".\r\n") {
			return nil
		}
		if first && len(bytes.TrimRight(part, "\r\n")) > 0 && !beginsHeader(part) {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		first = false
		if _, werr := w.Write(part); werr != nil {
			return werr
		}
		start = err == nil
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// beginsHeader reports a header field (RFC 5322 section 2.2), or the line that
// mailboxes have above a message.
func beginsHeader(line []byte) bool {
	line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
	if bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")) {
		return true
	}
	name, _, ok := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || len(name) == 0 {
		return false
	}
	for _, c := range name {
		if c <= ' ' || c >= 127 {
			return false
		}
	}
	return true
}
