package submit

import (
	"crypto/sha256"
	"fmt"
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
// recipients, Message-ID, subject and the moment of a scheduled one; the store
// adds the body. Message-ID alone is not enough: Exchange and DavMail send
// different messages under one, and Odoo sends To and Cc apart. A message without
// one is known by its Date and Received fields instead: a mail server in between
// numbers what it takes, so that two equal messages differ, while its repeats of
// one do not (Postfix sends QUIT together with the final dot, so it never shows
// that it heard). With neither Message-ID nor Date nothing distinguishes a
// message from the next, which may be meant: nil.
func identity(r *Request, read *mime.Message, env mime.Envelope, keyed bool) *store.Identity {
	window := resubmitWindow
	client := ""
	if r.Client != nil {
		client = r.Client.ID
		if m := r.Client.ResubmitMinutes; m != nil {
			window = time.Duration(*m) * time.Minute
		}
	}
	name, value := "Message-ID", read.Get("Message-ID")
	if value == "" {
		name, value = "Date", read.Get("Date")
	}
	if window <= 0 || value == "" {
		return nil
	}
	to := make([]string, len(env.Recipients))
	for i, x := range env.Recipients {
		to[i] = x.Address
	}
	slices.Sort(to)
	sender := r.Envelope.From // not the one that a connection puts in its place
	if a, err := mime.NormalizeAddress(sender); err == nil {
		sender = a
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q %q %d\n", client, sender, to, name, value, read.Subject(), r.NotBefore.UnixMicro())
	if name == "Date" {
		fmt.Fprintf(h, "%q\n", read.Values("Received"))
	}
	return &store.Identity{Digest: h.Sum(nil), Window: window, Record: r.Unheard && !keyed}
}

// Heard records that a client has received acceptances: that of a Request with
// Unheard set is not known to be received until its Result.Receipt is passed here.
func (s *Submitter) Heard(rs ...store.Receipt) { s.opt.Store.Heard(rs...) }
