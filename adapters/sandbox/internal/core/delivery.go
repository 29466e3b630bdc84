package core

import (
	"io"
	"slices"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// DeliveriesSince lists the deliveries with Seq > seq, in order.
func (c *Core) DeliveriesSince(seq int) []control.Delivery { return c.store.since(seq) }

// Open returns the bytes of a delivery as received.
func (c *Core) Open(seq int) (io.ReadCloser, error) {
	rec, err := c.store.record(seq)
	if err != nil {
		return nil, err
	}
	return rec.content.Open()
}

// OpenShown returns the bytes as a recipient sees them.
func (c *Core) OpenShown(seq int) (io.ReadCloser, error) { return c.openEdited(seq, false) }

// OpenSent returns the bytes as the sender's own copy has them: with Bcc.
func (c *Core) OpenSent(seq int) (io.ReadCloser, error) { return c.openEdited(seq, true) }

func (c *Core) openEdited(seq int, keepBcc bool) (io.ReadCloser, error) {
	rec, err := c.store.record(seq)
	if err != nil {
		return nil, err
	}
	rec.edits.KeepBcc = rec.edits.KeepBcc || keepBcc
	rc, err := rec.content.Open()
	if err != nil {
		return nil, err
	}
	return rewrite(rc, rec.edits), nil
}

// Edits are what recipients see differently from the bytes received.
type Edits struct {
	Drop []string          // names of fields, lower case; bcc is dropped but for keepBcc
	Set  map[string]string // lower-case name to the whole new line, with CRLF; added at the top when absent
	// KeepBcc shows Bcc, which servers without knowledge of it do: SMTP (contracts F3).
	KeepBcc bool
}

// Deliver records d. Filled here: Seq, Size, both hashes, File, At, and from
// the header, where d leaves them empty, From, MessageID and Subject.
// Recipients are lower-cased, sorted and made unique. m belongs to the
// delivery afterwards: do not discard it.
func (c *Core) Deliver(d control.Delivery, m *Message, e Edits) (control.Delivery, error) {
	if err := m.Persist(); err != nil {
		return d, err
	}
	if d.From == "" {
		d.From = m.Field("From")
	}
	if d.MessageID == "" {
		d.MessageID = m.Field("Message-ID")
	}
	if d.Subject == "" {
		d.Subject = DecodeWords(m.Field("Subject"))
	}
	d.Recipients = normalizeAll(d.Recipients)
	d.Size, d.SHA256, d.ContentSHA256, d.File, d.At = m.Size, m.SHA256, m.ContentSHA256, m.content.File, c.Now()
	return c.store.add(d, m.content, e), nil
}

func normalizeAll(addrs []string) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, Normalize(a))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
