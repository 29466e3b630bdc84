package core

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// smallMessage is how much of a message is held in memory; larger ones get a
// file of their own.
const smallMessage = 64 << 10

// A store keeps message bytes in Dir/messages. Small ones are appended to one
// segment file: a file each would cost more than the rest of the request.
type store struct {
	dir   string
	files atomic.Int64 // names

	mu      sync.RWMutex
	records []record
	seg     *os.File
	segSize int64
}

type record struct {
	control.Delivery
	content Blob
	edits   Edits
}

// A Blob is a range of a segment, or a file.
type Blob struct {
	seg  *os.File // shared; closed by the store
	off  int64
	Size int64
	File string
}

func newStore(dir string) (*store, error) {
	st := &store{dir: filepath.Join(dir, "messages")}
	// What an earlier run left has lost its records.
	if err := os.RemoveAll(st.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(st.dir, 0o700); err != nil {
		return nil, err
	}
	return st, st.newSegment()
}

func (st *store) name(ext string) string {
	return filepath.Join(st.dir, fmt.Sprintf("%08d%s", st.files.Add(1), ext))
}

func (st *store) newSegment() error {
	f, err := os.OpenFile(st.name(".segment"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	st.seg, st.segSize = f, 0
	return nil
}

// keep appends b to the segment.
func (st *store) keep(b []byte) (Blob, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.seg == nil {
		return Blob{}, os.ErrClosed
	}
	if _, err := st.seg.WriteAt(b, st.segSize); err != nil {
		return Blob{}, err
	}
	out := Blob{seg: st.seg, off: st.segSize, Size: int64(len(b))}
	st.segSize += int64(len(b))
	return out, nil
}

// create opens a new file for a large message or an attachment.
func (st *store) create(ext string) (*os.File, error) {
	return os.OpenFile(st.name(ext), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
}

func (st *store) add(d control.Delivery, content Blob, e Edits) control.Delivery {
	st.mu.Lock()
	defer st.mu.Unlock()
	d.Seq = len(st.records) + 1
	st.records = append(st.records, record{d, content, e})
	return d
}

func (st *store) since(seq int) []control.Delivery {
	st.mu.RLock()
	defer st.mu.RUnlock()
	seq = min(max(seq, 0), len(st.records))
	out := make([]control.Delivery, 0, len(st.records)-seq)
	for _, r := range st.records[seq:] {
		out = append(out, r.Delivery)
	}
	return out
}

func (st *store) record(seq int) (record, error) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	if seq < 1 || seq > len(st.records) {
		return record{}, control.ErrNoDelivery
	}
	return st.records[seq-1], nil
}

// reset forgets all records and removes their bytes.
func (st *store) reset() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	old, seg := st.records, st.seg
	st.records = nil
	if err := st.newSegment(); err != nil {
		return err
	}
	errs := []error{seg.Close(), os.Remove(seg.Name())}
	for _, r := range old {
		if r.content.File != "" {
			errs = append(errs, os.Remove(r.content.File))
		}
	}
	return errors.Join(errs...)
}

func (st *store) close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.seg == nil {
		return nil
	}
	err := st.seg.Close()
	st.seg = nil
	return err
}

// Open reads the content.
func (b Blob) Open() (io.ReadCloser, error) {
	switch {
	case b.File != "":
		return os.Open(b.File)
	case b.seg != nil:
		// Read at once: the segment may be closed by Reset while a reader is slow.
		buf := make([]byte, b.Size)
		if _, err := b.seg.ReadAt(buf, b.off); err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(buf)), nil
	}
	return io.NopCloser(bytes.NewReader(nil)), nil
}

// Remove deletes the file of a blob that no delivery refers to.
func (b Blob) Remove() error {
	if b.File == "" {
		return nil
	}
	return os.Remove(b.File)
}
