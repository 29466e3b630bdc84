package programs

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// useEvery is how often the last use of one client or key is written at most.
const useEvery = time.Minute

// longestReason is how many bytes a refusal's reason may have: what it is about may
// come from strangers.
const longestReason = 2000

// A Refusal is what a client or key was refused.
type Refusal struct {
	Client, Key string // ids; one of them is empty, or both: nothing is noted
	EntryPoint  string
	Address     netip.Addr
	Code        string
	Reason      mime.Text
	At          time.Time
}

// WrongSecret is why a login under the name of a client was refused.
func WrongSecret() mime.Text { return mime.NewText("programs.wrong_secret", "the secret was wrong") }

// SwitchedOff is why a client that is disabled was refused.
func SwitchedOff() mime.Text {
	return mime.NewText("programs.switched_off", "the client is switched off")
}

// Used notes that a client was used: it signed in, or submitted. On a nil Recorder
// it does nothing.
func (r *Recorder) Used(client, entryPoint string, from netip.Addr, at time.Time) {
	r.use(store.UseOfClient, client, &store.Use{UsedAt: store.Micro(at), UsedBy: entryPoint, UsedFrom: address(from)})
}

// Refused notes a refusal. On a nil Recorder it does nothing.
func (r *Recorder) Refused(x Refusal) {
	u := store.Use{RefusedAt: store.Micro(x.At), RefusedBy: x.EntryPoint, RefusedFrom: address(x.Address), Code: x.Code, Reason: x.Reason}
	if b, err := json.Marshal(u.Reason); err != nil || len(b) > longestReason {
		u.Reason = mime.Text{}
	}
	r.use(store.UseOfClient, x.Client, &u)
	r.use(store.UseOfKey, x.Key, &u)
}

func (r *Recorder) use(kind, subject string, next *store.Use) {
	if r == nil || subject == "" {
		return
	}
	next.Kind, next.Subject = kind, subject
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.uses[next.Key()]
	if u == nil {
		if len(r.uses) >= mostPending {
			return
		}
		u = &store.Use{Kind: kind, Subject: subject}
		r.uses[next.Key()] = u
	}
	u.Merge(next)
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// flushUses writes what was seen of clients and keys that were not written within
// the last minute; all is true at the end: nothing waits then.
func (r *Recorder) flushUses(ctx context.Context, all bool) error {
	now := r.now()
	r.mu.Lock()
	maps.DeleteFunc(r.written, func(_ string, at time.Time) bool { return now.Sub(at) >= useEvery })
	var list []store.Use
	for key, u := range r.uses {
		if _, lately := r.written[key]; all || !lately {
			list = append(list, *u)
			delete(r.uses, key)
			r.written[key] = now
		}
	}
	r.mu.Unlock()
	for part := range slices.Chunk(list, batch) {
		if err := r.store.SawUses(ctx, part); err != nil {
			r.keepUses(list)
			return err
		}
	}
	return nil
}

// keepUses takes back what was not written: to write it twice changes nothing.
func (r *Recorder) keepUses(list []store.Use) {
	for i := range list {
		u := list[i]
		r.use(u.Kind, u.Subject, &u)
		r.mu.Lock()
		delete(r.written, u.Key())
		r.mu.Unlock()
	}
}
