package adapters

import (
	"time"

	"github.com/postino-mail/postino/mime"
)

// clockSlack is how far a provider's clock and ours may be apart.
const clockSlack = 10 * time.Minute

// A Found is a message that a provider keeps, as Verify comes upon it by its
// Message-ID. The Message-ID alone proves nothing: the parts of a message that
// was split over several deliveries share it, and so does one that a client
// submits again.
type Found struct {
	To, Cc, Bcc []string
	At          time.Time // when the provider made it; zero: not known
}

// Match says whether f is the message of this attempt: Sent, NotSent, or
// CannotTell where the provider's copy does not keep Bcc and nothing else tells.
func (r VerifyRequest) Match(f Found) Verdict {
	if !r.Since.IsZero() && !f.At.IsZero() && f.At.Before(r.Since.Add(-clockSlack)) {
		return NotSent // of an earlier send
	}
	shown := addressSet(f.To, f.Cc)
	all := addressSet(f.To, f.Cc, f.Bcc)
	envelope := make(map[string]bool)
	for _, a := range r.Addresses() {
		envelope[a.String()] = true
	}
	if same(all, envelope) {
		return Sent
	}
	if len(f.Bcc) > 0 {
		return NotSent
	}
	// Perhaps the copy lost its Bcc (contracts B5.2, C5.3): then it shows whom our API view shows.
	visible := make(map[string]bool)
	for _, a := range append(r.Message.To(), r.Message.Cc()...) {
		if key := a.Address.String(); envelope[key] {
			visible[key] = true
		}
	}
	switch {
	case !same(shown, visible):
		return NotSent
	case len(visible) == 0:
		return CannotTell
	}
	return Sent
}

// addressSet are addresses as a provider shows them, some of which may be none.
func addressSet(lists ...[]string) map[string]bool {
	out := make(map[string]bool)
	for _, l := range lists {
		for _, a := range l {
			if m, err := mime.ParseMailbox(a); err == nil {
				a = m.String()
			}
			out[a] = true
		}
	}
	return out
}

func same(a, b map[string]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}
