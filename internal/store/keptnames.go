package store

import (
	"encoding/json"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A keptError is an error as the store keeps it: beside its own names it has
// those of the version before: its nodes read the same records during an
// upgrade. For one release (docs/high-availability.md).
type keptError adapters.Error

func kept(e *adapters.Error) *keptError { return (*keptError)(e) }

func (e *keptError) MarshalJSON() ([]byte, error) {
	doc, err := json.Marshal((*adapters.Error)(e))
	if err != nil {
		return nil, err
	}
	before, err := json.Marshal(struct {
		Sentence   adapters.Text `json:"sentence"`
		Remedy     adapters.Text `json:"remedy"`
		RetryAfter time.Duration `json:"retry_after_ns,omitempty"`
	}{e.Message, e.Hint, e.RetryAfter})
	if err != nil {
		return nil, err
	}
	return append(append(doc[:len(doc)-1], ','), before[1:]...), nil // one object of both; neither is empty
}

// A keptRecipient is a recipient with an error as the store keeps it.
type keptRecipient struct {
	Recipient
	Error *keptError `json:"error,omitempty"`
}

// keptRecipients returns what EncodeRecipients writes: rs itself where none of
// them has an error.
func keptRecipients(rs []Recipient) any {
	var list []keptRecipient
	for i, r := range rs {
		if r.Error == nil && list == nil {
			continue
		}
		if list == nil {
			list = make([]keptRecipient, 0, len(rs))
			for _, before := range rs[:i] {
				list = append(list, keptRecipient{Recipient: before})
			}
		}
		list = append(list, keptRecipient{r, kept(r.Error)})
	}
	if list == nil {
		return rs
	}
	return list
}
