package sandbox

import (
	"errors"
	"io"
	"slices"
	"time"
)

// A Delivery is one message that a fake provider delivered, as its recipients would get it.
type Delivery struct {
	Seq           int       `json:"seq"`     // from 1, without gaps
	Service       string    `json:"service"` // graph, gmail, smtp
	Route         string    `json:"route"`   // graph: mime, json, draft; gmail: raw, media, multipart, resumable; smtp: data, bdat
	Mailbox       string    `json:"mailbox"` // or SMTP login
	EnvelopeFrom  string    `json:"envelope_from"`
	From          string    `json:"from"`       // header From that recipients see, as it is written there
	Recipients    []string  `json:"recipients"` // who really gets a copy, lower case, sorted
	MessageID     string    `json:"message_id"` // that recipients see, with brackets
	Subject       string    `json:"subject"`    // decoded
	Size          int64     `json:"size"`
	SHA256        string    `json:"sha256"`         // of the bytes as received from the client
	ContentSHA256 string    `json:"content_sha256"` // of the same without address lines (From Sender Reply-To To Cc Bcc X-Postino-Not-Sent)
	File          string    `json:"file"`           // the bytes as received, when they have a file of their own (over 64 KB); Open serves every message
	At            time.Time `json:"at"`
}

// ErrNoDelivery says that there is no such delivery, or none since Reset.
var ErrNoDelivery = errors.New("sandbox: no such delivery")

// Deliveries lists what was delivered so far, in order. The slice is a copy.
func (s *Sandbox) Deliveries() []Delivery { return s.store.since(0) }

// DeliveriesSince is Deliveries with Seq > seq: cheap to poll.
func (s *Sandbox) DeliveriesSince(seq int) []Delivery { return s.store.since(seq) }

// Open gives the bytes of a delivery as received from the client; of a Graph
// draft, the message that was built from it. The error is ErrNoDelivery, or
// one of the disk.
func (s *Sandbox) Open(d Delivery) (io.ReadCloser, error) {
	rec, err := s.store.record(d.Seq)
	if err != nil {
		return nil, err
	}
	return rec.content.open()
}

// OpenShown gives the bytes as a recipient sees them: without Bcc, and with
// what the provider removes or replaces (contracts B4.5, B6.4, B6.6, C5).
func (s *Sandbox) OpenShown(d Delivery) (io.ReadCloser, error) {
	rec, err := s.store.record(d.Seq)
	if err != nil {
		return nil, err
	}
	rc, err := rec.content.open()
	if err != nil {
		return nil, err
	}
	return rewrite(rc, rec.edits), nil
}

// edits are what recipients see differently from the bytes received.
type edits struct {
	drop []string          // names of fields, lower case; bcc is dropped but for keepBcc
	set  map[string]string // lower-case name to the whole new line, with CRLF; added at the top when absent
	// keepBcc shows Bcc, which servers without knowledge of it do: SMTP (contracts F3).
	keepBcc bool
}

// deliver records d. Filled here: Seq, Size, both hashes, File, At, and from
// the header, where d leaves them empty, From, MessageID and Subject.
// Recipients are lower-cased, sorted and made unique. m belongs to the
// delivery afterwards: do not discard it.
func (s *Sandbox) deliver(d Delivery, m *message, e edits) (Delivery, error) {
	if err := m.persist(); err != nil {
		return d, err
	}
	if d.From == "" {
		d.From = m.field("From")
	}
	if d.MessageID == "" {
		d.MessageID = m.field("Message-ID")
	}
	if d.Subject == "" {
		d.Subject = decodeWords(m.field("Subject"))
	}
	d.Recipients = normalizeAll(d.Recipients)
	d.Size, d.SHA256, d.ContentSHA256, d.File, d.At = m.size, m.sha256, m.contentSHA256, m.content.file, s.now()
	return s.store.add(d, m.content, e), nil
}

func normalizeAll(addrs []string) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, normalize(a))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
