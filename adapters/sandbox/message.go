package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
)

// maxHeader is how much of a message may be header.
const maxHeader = 1 << 20

// errHeaderTooLarge says that the header does not end within maxHeader.
var errHeaderTooLarge = errors.New("the message header is too large")

// A message is what a client handed over, read once. Small ones are in memory,
// larger ones in a file.
type message struct {
	size          int64
	sha256        string
	contentSHA256 string // see Delivery
	header        []byte // up to and with the empty line, as received
	fields        []field
	wellFormed    bool // every header line is a field

	store   *store
	buf     []byte // until persist, when there is no file
	content blob
}

// receive reads a whole message from body. The caller ends with deliver or
// with discard. Errors are body's own, errHeaderTooLarge, or the disk's.
func (s *Sandbox) receive(body io.Reader) (*message, error) {
	m := &message{store: s.store}
	w := &messageWriter{m: m, all: sha256.New(), content: sha256.New(), filter: newHeaderFilter()}
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(w, struct{ io.Reader }{body}, buf[:])
	if err = errors.Join(err, w.finish()); err != nil {
		return nil, errors.Join(err, m.discard())
	}
	return m, nil
}

const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// messageWriter takes a message apart while it comes in.
type messageWriter struct {
	m            *message
	all, content hashWriter
	filter       *headerFilter
	file         *os.File
}

type hashWriter interface {
	io.Writer
	Sum([]byte) []byte
}

func (w *messageWriter) Write(p []byte) (int, error) {
	m := w.m
	_, _ = w.all.Write(p) // a hash never fails
	m.size += int64(len(p))
	if err := w.filter.feed(p, w.content); err != nil {
		return 0, err
	}
	if w.file == nil && len(m.buf)+len(p) > smallMessage {
		f, err := m.store.create(".eml")
		if err != nil {
			return 0, err
		}
		w.file, m.content.file = f, f.Name()
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

func (w *messageWriter) finish() error {
	m := w.m
	w.filter.end(w.content)
	m.header = w.filter.header
	m.fields, m.wellFormed = parseFields(m.header)
	m.content.size = m.size
	m.sha256 = hex.EncodeToString(w.all.Sum(nil))
	m.contentSHA256 = hex.EncodeToString(w.content.Sum(nil))
	if w.file != nil {
		return w.file.Close()
	}
	return nil
}

// persist moves a small message from memory to the segment.
func (m *message) persist() error {
	if m.content.file != "" || m.content.seg != nil {
		return nil
	}
	var err error
	m.content, err = m.store.keep(m.buf)
	m.buf = nil
	return err
}

// open reads the message again, before or after it was delivered.
func (m *message) open() (io.ReadCloser, error) {
	if m.content.file == "" && m.content.seg == nil {
		return io.NopCloser(bytes.NewReader(m.buf)), nil
	}
	return m.content.open()
}

// discard removes what was not delivered.
func (m *message) discard() error {
	if m == nil {
		return nil
	}
	m.buf = nil
	return m.content.remove()
}
