package submit

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// resubmitWindow is how long an acceptance that its client has not heard of
// answers the same message again, unless the client's own setting says otherwise.
const resubmitWindow = time.Hour

// identity tells a message that a client sends again, because it has not heard
// that it was taken, from another one: client, envelope sender, the set of
// recipients, Message-ID, subject, Received fields and the moment of a scheduled
// one; the store adds the body. Message-ID alone is not enough: Exchange and
// DavMail send different messages under one, and Odoo sends To and Cc apart. A
// message without one is known by its Date instead; without either nothing
// distinguishes it from the next, which may be meant: nil. So it is for what is
// Distinct.
//
// The Received fields are for mail servers that send QUIT together with the
// final dot (Postfix does) and so never show that they heard: two submissions to
// them have two queue ids, their repeats of one submission the same.
func identity(r *Request, read *mime.Message, m *store.Message, keyed bool) *store.Identity {
	window := resubmitWindow
	client := ""
	if r.Owner != "" {
		client = "person " + r.Owner
	}
	if r.Client != nil {
		client = r.Client.ID
		if m := r.Client.ResubmitMinutes; m != nil {
			window = time.Duration(*m) * time.Minute
		}
	}
	name, value := "Message-ID", read.Get("Message-ID") // m's may be another: a connection's provider wants it so
	if value == "" {
		name, value = "Date", read.Get("Date")
	}
	if window <= 0 || value == "" || r.Distinct {
		return nil
	}
	to := make([]string, len(m.Envelope.Recipients))
	for i, x := range m.Envelope.Recipients {
		to[i] = x.Address.String()
	}
	slices.Sort(to)
	sender := r.Envelope.From // not the one that a connection puts in its place
	var space [1024]byte
	b := space[:0]
	add := func(values ...string) { // with their lengths, so that no two lists are alike
		b = binary.AppendUvarint(b, uint64(len(values)))
		for _, v := range values {
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		}
	}
	add(client, sender.String(), name, value, m.Subject)
	add(to...)
	add(read.Values("Received")...)
	digest := sha256.Sum256(binary.AppendVarint(b, r.NotBefore.UnixMicro()))
	return &store.Identity{Digest: digest[:], Window: window, Record: r.Unheard && !keyed}
}

// Heard records that a client has received acceptances: that of a Request with
// Unheard set is not known to be received until its Result.Receipt is passed here.
func (s *Submitter) Heard(rs ...store.Receipt) { s.opt.Store.Heard(rs...) }
