package mime

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// An invitation is a calendar that its reader acts upon (RFC 6047, iMIP).
// Outlook and Gmail offer to accept it where it is one of the alternatives of
// the text, with its method; other readers want a file. So it stands in the
// message twice, as Google Calendar writes it.
type invitation struct {
	at      int // index of the attachment
	method  string
	charset string
}

// calendarHead is how much of a calendar is read to find its method.
const calendarHead = 64 << 10

// invitation finds the first attachment that is one: a text/calendar with a
// method, in its media type or in its content.
func (c *composer) invitation() (*invitation, error) {
	for i := range c.draft.Attachments {
		a := &c.draft.Attachments[i]
		if a.Inline || a.ContentID != "" || a.Open == nil {
			continue
		}
		mediaType, params, _, err := contentType(a.ContentType, BaseName(a.Filename))
		if err != nil {
			return nil, err
		}
		if mediaType != "text/calendar" {
			continue
		}
		in := &invitation{at: i}
		for _, p := range params {
			switch p.Name {
			case "method":
				in.method = strings.ToUpper(p.Value)
			case "charset":
				in.charset = p.Value
			}
		}
		given := in.method != ""
		head, err := a.head(calendarHead)
		if err != nil {
			return nil, err
		}
		if !given {
			in.method = calendarMethod(head)
		}
		if in.charset == "" && validUTF8Head(head) {
			in.charset = "utf-8"
		}
		switch in.method { // RFC 5546 section 1.4
		case "REQUEST", "REPLY", "CANCEL", "ADD", "REFRESH", "COUNTER", "DECLINECOUNTER":
			return in, nil
		case "PUBLISH": // a calendar to look at; by its content alone a file like any
			if given {
				return in, nil
			}
		}
	}
	return nil, nil
}

// head reads the beginning of an attachment.
func (a *Attachment) head(limit int) ([]byte, error) {
	buf := make([]byte, limit)
	n := 0
	err := a.stream(func(r io.Reader) error {
		var err error
		if n, _, err = fill(r, buf); err != nil {
			return readError{err}
		}
		return nil
	})
	return buf[:n], err
}

// validUTF8Head is utf8.Valid for text that may be cut within a character.
func validUTF8Head(b []byte) bool {
	for n := 0; n < utf8.UTFMax && n <= len(b); n++ {
		if utf8.Valid(b[:len(b)-n]) {
			return n == 0 || len(b) == calendarHead
		}
	}
	return false
}

// calendarMethod is the METHOD of a calendar (RFC 5545 section 3.7.2), in upper
// case; empty where it has none before its first component.
func calendarMethod(head []byte) string {
	begun := false
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))) {
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(strings.ToUpper(name), ";")
		value = strings.ToUpper(strings.TrimSpace(value))
		switch {
		case !begun:
			if name != "BEGIN" || value != "VCALENDAR" {
				return ""
			}
			begun = true
		case name == "METHOD":
			return value
		case name == "BEGIN":
			return ""
		}
	}
	return ""
}

// alternative is the part that calendars read.
func (c *composer) alternative(in *invitation) *node {
	n := &node{mediaType: "text/calendar", body: c.base64Body(&c.draft.Attachments[in.at])}
	ct := newField("Content-Type")
	ct.word(" ", n.mediaType)
	ct.param("method", in.method)
	if in.charset != "" {
		ct.param("charset", in.charset)
	}
	cte := newField("Content-Transfer-Encoding")
	cte.word(" ", "base64")
	n.fields = [][]byte{ct.raw(), cte.raw()}
	return n
}

// file is the same calendar for readers that show files. Its type is not
// text/calendar, so that no program acts upon it a second time.
func (in *invitation) file(a *Attachment) *Attachment {
	f := *a
	f.ContentType = "application/ics"
	if BaseName(f.Filename) == "" {
		f.Filename = "invite.ics"
	}
	return &f
}
