package submit

import (
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// accepted is the event of a message that was taken. Its data is written by
// hand: it is one a message, and reflection would cost as much as the check of
// the header.
func accepted(m *store.NewMessage, c *gateway.Connection) store.NewEvent {
	if m.ID.IsZero() {
		m.ID = store.NewID()
	}
	size := 128 + len(m.MessageID) + len(m.From.String()) + len(m.Subject) + len(m.Tag)
	for _, r := range m.Envelope.Recipients {
		size += len(r.Address.String()) + 3
	}
	b := appendJSON(append(make([]byte, 0, size), `{"message_id":`...), m.MessageID)
	b = appendJSON(append(b, `,"connection":`...), c.ID)
	b = appendJSON(append(b, `,"from":`...), m.From.String())
	b = appendJSON(append(b, `,"subject":`...), m.Subject)
	if m.Tag != "" {
		b = appendJSON(append(b, `,"tag":`...), m.Tag)
	}
	if len(m.Metadata) > 0 {
		b = append(b, `,"metadata":`...)
		for i, key := range slices.Sorted(maps.Keys(m.Metadata)) {
			b = append(b, "{,"[min(i, 1)])
			b = appendJSON(append(appendJSON(b, key), ':'), m.Metadata[key])
		}
		b = append(b, '}')
	}
	if !m.ResentOf.IsZero() {
		b = appendJSON(append(b, `,"resent_of":`...), m.ResentOf.String())
	}
	b = append(b, `,"recipients":[`...)
	for i, r := range m.Envelope.Recipients {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, r.Address.String())
	}
	return store.NewEvent{Type: "message.accepted", At: m.ReceivedAt, Client: m.Client, Message: m.ID, Data: append(b, "]}"...)}
}

// appendJSON adds a string as json.Marshal writes it.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendOdd(b, s)
		}
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '<', '>', '&': // so that it can stand in HTML
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func appendOdd(b []byte, s string) []byte {
	out, err := json.Marshal(s)
	if err != nil { // a string has no errors; do not depend on it
		return append(b, `""`...)
	}
	return append(b, out...)
}
