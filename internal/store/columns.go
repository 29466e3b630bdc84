package store

import (
	"encoding/json"
	"hash/crc32"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// This file holds what both implementations keep of a record as JSON, and what
// becomes of a record that is corrupt on the disk: people see it, nothing of it is
// sent, and it keeps nothing else from being sent.

// messageDoc is what of a message no query asks for.
type messageDoc struct {
	Subject      string        `json:"s,omitempty"`
	From         mime.Mailbox  `json:"f,omitzero"`
	OriginalFrom mime.Mailbox  `json:"o,omitzero"`
	Envelope     mime.Envelope `json:"e"`
	EntryPoint   string        `json:"d,omitempty"`
	Class        string        `json:"c,omitempty"`
	Notification bool          `json:"n,omitempty"`
	NotBefore    time.Time     `json:"b,omitzero"`
	ResentOf     ID            `json:"r,omitzero"`
	Names        []string      `json:"p,omitempty"`
	Routed       Routed        `json:"w,omitzero"`
	Metadata     Metadata      `json:"m,omitempty"`
	Trace        string        `json:"x,omitempty"`
	Conversation string        `json:"y,omitempty"`
}

// EncodeDoc returns the part of the message that is kept as JSON.
func (m *Message) EncodeDoc() (string, error) {
	return encode(messageDoc{m.Subject, m.From, m.OriginalFrom, m.Envelope, m.EntryPoint, m.Class, m.Notification, m.NotBefore,
		m.ResentOf, m.Names, m.Routed, m.Metadata, m.Trace, m.Conversation})
}

// encode returns v as JSON that is for no browser: with < and > as they are, which
// addresses are full of, not with six bytes each.
func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// DecodeDoc fills in what EncodeDoc gave. False: it is corrupt, and stays empty.
func (m *Message) DecodeDoc(doc []byte) bool {
	var d messageDoc
	if err := json.Unmarshal(doc, &d); err != nil {
		return false
	}
	m.Subject, m.From, m.OriginalFrom, m.Envelope, m.EntryPoint, m.Class, m.Notification, m.NotBefore, m.ResentOf, m.Names,
		m.Routed, m.Metadata, m.Trace, m.Conversation = d.Subject, d.From, d.OriginalFrom, d.Envelope, d.EntryPoint, d.Class, d.Notification,
		d.NotBefore, d.ResentOf, d.Names, d.Routed, d.Metadata, d.Trace, d.Conversation
	return true
}

// HeadSum is the sum by which a changed head is found out: CRC-32C, against a
// disk, not against people.
func HeadSum(head []byte) int64 {
	return int64(crc32.Checksum(head, crc32.MakeTable(crc32.Castagnoli)))
}

// EncodeRecipients returns the column of the recipients.
func EncodeRecipients(rs []Recipient) (string, error) {
	b, err := json.Marshal(keptRecipients(rs))
	return string(b), err
}

// progressDoc is Progress as it is kept: the keys are those of the first version,
// so that nodes of two versions read each other's.
type progressDoc struct {
	Class          adapters.Class  `json:"class,omitempty"`
	Error          *adapters.Error `json:"error,omitempty"`
	ProviderID     string          `json:"provider_id,omitempty"`
	Duplicate      bool            `json:"possible_duplicate,omitempty"`
	Failures       int             `json:"failures,omitempty"`
	UnknownSince   time.Time       `json:"unknown_since,omitzero"`
	CallEnded      time.Time       `json:"call_ended,omitzero"`
	SenderNotified bool            `json:"told,omitempty"`
	NotifyFailed   bool            `json:"not_told,omitempty"`
	Origin         string          `json:"origin,omitempty"`
	NoRoomSince    time.Time       `json:"no_room_since,omitzero"`
}

// EncodeProgress returns the column of the progress; it is empty for the zero Progress.
func EncodeProgress(p Progress) (string, error) {
	if p == (Progress{}) {
		return "", nil
	}
	doc := any(progressDoc(p))
	if p.Error != nil {
		doc = struct {
			progressDoc
			Error *keptError `json:"error"`
		}{progressDoc(p), kept(p.Error)}
	}
	b, err := json.Marshal(doc)
	return string(b), err
}

// DecodeColumns fills in recipients and progress. False: one of them is corrupt,
// and the delivery says so in its error.
func (d *Delivery) DecodeColumns(recipients, progress []byte) bool {
	ok := json.Unmarshal(recipients, &d.Recipients) == nil && len(d.Recipients) > 0
	if len(progress) > 0 {
		var doc progressDoc
		ok = json.Unmarshal(progress, &doc) == nil && ok
		d.Progress = Progress(doc)
	}
	if !ok {
		d.Class, d.Error = adapters.Permanent, CorruptRecord()
	}
	return ok
}

// EncodeOutcome returns the column of an attempt's outcome.
func EncodeOutcome(o Outcome) (string, error) {
	doc := any(o)
	if o.Error != nil {
		doc = struct {
			Outcome
			Error *keptError `json:"error"`
		}{o, kept(o.Error)}
	}
	return encode(doc)
}

// DecodeOutcome fills in what EncodeOutcome gave; one that is corrupt says so.
func (a *Attempt) DecodeOutcome(b []byte) {
	if err := json.Unmarshal(b, &a.Outcome); err != nil {
		a.Outcome = Outcome{EndedAt: a.StartedAt, Class: adapters.Unknown, Error: CorruptRecord()}
	}
}

// EncodeColumns returns the columns of the reason and of both windows.
func (l *Lane) EncodeColumns() (reason string, minute, day []byte, err error) {
	if !l.Reason.IsZero() {
		b, err := json.Marshal(l.Reason)
		if err != nil {
			return "", nil, nil, err
		}
		reason = string(b)
	}
	return reason, l.Minute.encode(), l.Day.encode(), nil
}

// DecodeColumns fills in what EncodeColumns gave. What is corrupt is taken as
// empty: the provider's own limits hold, and the lane goes on.
func (l *Lane) DecodeColumns(reason, minute, day []byte) {
	if len(reason) > 0 && json.Unmarshal(reason, &l.Reason) != nil {
		l.Reason = adapters.Text{}
	}
	l.Minute, l.Day = decodeWindow(minute), decodeWindow(day)
}

// CorruptRecord is the error of a record that cannot be read.
func CorruptRecord() *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: "corrupt_record", Enhanced: "5.3.0",
		Message: mime.NewText("store.corrupt_record", "the store's record of this message is corrupt; nothing of it is sent"),
		Hint: mime.NewText("store.corrupt_record_hint", "check this server's disk, send the message again from the program it came from, "+
			"then cancel this delivery")}
}

// HoldCorrupt holds a delivery with a corrupt record, for a person to see. One
// that may have been sent stays known for it.
func (d *Delivery) HoldCorrupt(now time.Time) {
	if d.State == Unverified && d.UnknownSince.IsZero() {
		d.UnknownSince = Micro(now)
	}
	d.State, d.NextAt = Held, time.Time{}
	d.Class, d.Error = adapters.Permanent, CorruptRecord()
	d.unlease()
	d.Epoch++
}

// FinishCorrupt ends the attempt of a delivery when its message's record is
// corrupt, before its call: it is held.
func FinishCorrupt(l Lease, d *Delivery, now time.Time) Finish {
	f := Finish{Lease: l, Outcome: Outcome{EndedAt: now, Class: adapters.Permanent, Error: CorruptRecord()}}
	f.Transition = Transition{Now: now, State: Held, Progress: d.Progress}
	f.Transition.Progress.Class, f.Transition.Progress.Error = f.Outcome.Class, f.Outcome.Error
	if d.Kind == Send {
		f.NotSent = d.CountPending()
	}
	return f
}
