package core

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
)

// MaxHeader is how much of a message may be header.
const MaxHeader = 1 << 20

// ErrHeaderTooLarge says that the header does not end within MaxHeader.
var ErrHeaderTooLarge = errors.New("the message header is too large")

// A Message is what a client handed over, read once. Small ones are in memory,
// larger ones in a file.
type Message struct {
	Size          int64
	SHA256        string
	ContentSHA256 string // see Delivery
	Header        []byte // up to and with the empty line, as received
	Fields        []Field
	WellFormed    bool // every header line is a field

	store   *store
	buf     []byte // until persist, when there is no file
	content Blob
}

// Receive reads a whole message from body. The caller ends with Deliver or with
// Discard. Errors are body's own, ErrHeaderTooLarge, or the disk's.
func (c *Core) Receive(body io.Reader) (*Message, error) {
	in := c.NewIncoming()
	buf, ok := c.copyBuffers.Get().(*[copySize]byte)
	if !ok {
		buf = new([copySize]byte)
	}
	defer c.copyBuffers.Put(buf)
	_, err := io.CopyBuffer(in, struct{ io.Reader }{body}, buf[:])
	if err != nil {
		return nil, errors.Join(err, in.Discard())
	}
	return in.Finish()
}

const copySize = 32 << 10

// An Incoming is a message that is still being received: write it, then call
// Finish or Discard. Errors of Write are ErrHeaderTooLarge or the disk's.
type Incoming struct {
	m            *Message
	all, content hash.Hash
	filter       headerFilter
	file         *os.File
}

// NewIncoming begins a message.
func (c *Core) NewIncoming() *Incoming {
	return &Incoming{m: &Message{store: c.store}, all: sha256.New(), content: sha256.New()}
}

func (w *Incoming) Write(p []byte) (int, error) {
	m := w.m
	_, _ = w.all.Write(p) // a hash never fails
	m.Size += int64(len(p))
	if err := w.filter.feed(p, w.content); err != nil {
		return 0, err
	}
	if w.file == nil && len(m.buf)+len(p) > smallMessage {
		f, err := m.store.create(".eml")
		if err != nil {
			return 0, err
		}
		w.file, m.content.File = f, f.Name()
		if _, err := f.Write(m.buf); err != nil {
			return 0, err
		}
		m.buf = nil
	}
	if w.file != nil {
		return w.file.Write(p)
	}
	m.buf = append(m.buf, p...)
	return len(p), nil
}

// Finish returns the whole message.
func (w *Incoming) Finish() (*Message, error) {
	m := w.m
	w.filter.end(w.content)
	m.Header = w.filter.header
	m.Fields, m.WellFormed = ParseFields(m.Header)
	m.content.Size = m.Size
	m.SHA256 = hex.EncodeToString(w.all.Sum(nil))
	m.ContentSHA256 = hex.EncodeToString(w.content.Sum(nil))
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return nil, errors.Join(err, m.Discard())
		}
	}
	return m, nil
}

// Discard removes what was written so far.
func (w *Incoming) Discard() error {
	var err error
	if w.file != nil {
		err = w.file.Close()
	}
	return errors.Join(err, w.m.Discard())
}

// Persist moves a small message from memory to the segment.
func (m *Message) Persist() error {
	if m.content.File != "" || m.content.seg != nil {
		return nil
	}
	var err error
	m.content, err = m.store.keep(m.buf)
	m.buf = nil
	return err
}

// Open reads the message again, before or after it was delivered.
func (m *Message) Open() (io.ReadCloser, error) {
	if m.content.File == "" && m.content.seg == nil {
		return io.NopCloser(bytes.NewReader(m.buf)), nil
	}
	return m.content.Open()
}

// Discard removes what was not delivered.
func (m *Message) Discard() error {
	if m == nil {
		return nil
	}
	m.buf = nil
	return m.content.Remove()
}
