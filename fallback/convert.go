package fallback

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// convert changes the content of tx, which has 8-bit octets, where the server
// cannot take it as it is: 8-bit parts are encoded again for a server without
// 8BITMIME (RFC 6152 section 3), raw UTF-8 in the header becomes encoded words
// for one without SMTPUTF8. What cannot be changed is refused.
func (a *Adapter) convert(tx *transaction, p *plan, utf8 bool) error {
	if !tx.eightBit {
		write, err := p.out.Message.SevenBit()
		if err != nil {
			return a.errConvert(err)
		}
		if tx.content, err = writerContent(write); err != nil {
			return a.errUnreadable(err)
		}
		return nil
	}
	if !utf8 && p.out.Message.NeedsUTF8() {
		view, err := p.out.Message.ASCIIHeader()
		if err != nil {
			return a.errConvert(err)
		}
		tx.content = sourceContent(view)
		if tx.eightBit, err = hasEightBit(view); err != nil {
			return a.errUnreadable(err)
		}
	}
	return nil
}

// writerContent is the content that write gives; it is written once to nowhere
// to know its size.
func writerContent(write func(io.Writer) error) (content, error) {
	n := &counter{}
	if err := write(n); err != nil {
		return content{}, err
	}
	return content{size: n.n, write: func(w io.Writer) error {
		b := bufio.NewWriterSize(w, copyBuffer)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	}}, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// hasEightBit looks at the whole message, eight octets at a time.
func hasEightBit(src mime.Source) (bool, error) {
	found := errors.New("found")
	err := sourceContent(src).write(writerFunc(func(p []byte) (int, error) {
		n, rest := len(p), p
		for ; len(rest) >= 8; rest = rest[8:] {
			if binary.NativeEndian.Uint64(rest)&0x8080808080808080 != 0 {
				return 0, found
			}
		}
		for _, c := range rest {
			if c > 0x7f {
				return 0, found
			}
		}
		return n, nil
	}))
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// errConvert passes on why a message cannot be changed for the server.
func (a *Adapter) errConvert(err error) *adapters.Error {
	var m *mime.Error
	if !errors.As(err, &m) || m.Code == string(adapters.CodeUnreadable) {
		return a.errUnreadable(err)
	}
	if m.Code == "needs_utf8" {
		return a.errNeedsUTF8(err)
	}
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: adapters.Code(m.Code),
		Enhanced: "5.6.3", Err: err,
		Message: m.Message,
		Hint: mime.NewText("smtp.send_7bit",
			"send signed or encrypted mail with 7-bit encodings, or through another connection than {host}",
			"host", a.host)}
}
