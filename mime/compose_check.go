package mime

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkValue refuses what must not reach a header value: what would begin
// another line or another field, octets that no reader agrees about, and text
// that is not UTF-8. TAB is allowed.
func checkValue(name, v string) error {
	if err := checkText(name, v); err != nil {
		return err
	}
	for i := range len(v) {
		switch c := v[i]; {
		case c == '\r' || c == '\n':
			return newError("header_injection", name,
				NewText("mime.header_injection",
					"The value of {name} contains a line end; a header field is one line: remove it.", "name", name))
		case c < ' ' && c != '\t' || c == 0x7f:
			return newError("control", name,
				NewText("mime.control", "The value of {name} contains the control character {character}: remove it.",
					"name", name, "character", fmt.Sprintf("0x%02X", c)))
		}
	}
	return nil
}

// checkFolded is checkValue for what a program copies from another message as it
// stands there, folded (RFC 5322 section 2.2.3).
func checkFolded(name, v string) error {
	if strings.Contains(v, "\n") {
		v = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ", "\n ", " ", "\n\t", " ").Replace(v)
	}
	return checkValue(name, v)
}

// checkText refuses NUL and text that is not UTF-8.
func checkText(name, v string) error {
	if strings.IndexByte(v, 0) >= 0 {
		return newError("nul", name, NewText("mime.nul", "{name} contains a NUL character: remove it.", "name", name))
	}
	if !utf8.ValidString(v) {
		return newError("not_utf8", name, NewText("mime.not_utf8", "{name} is not UTF-8 text: convert it from its character set first.",
			"name", name))
	}
	return nil
}

// checkID returns a message or content identifier without its angle brackets
// (RFC 5322 section 3.6.4, loosely: identifiers of foreign messages are quoted
// back as they are).
func checkID(name, id string) (string, error) {
	s := strings.TrimSpace(id)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") && len(s) > 1 {
		s = s[1 : len(s)-1]
	}
	ok := s != "" && len(s) <= maxToken
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] > ' ' && s[i] <= '~' && s[i] != '<' && s[i] != '>'
	}
	if !ok {
		return "", newError("bad_id", name,
			NewText("mime.bad_id",
				"The identifier {id} in {name} is not valid: it is printable ASCII without spaces, such as "+
					"<1234@example.com>.",
				"id", strconv.Quote(shorten(id)), "name", name))
	}
	return s, nil
}

// checkMessageID is checkID for the message's own Message-ID, which must be
// well-formed (RFC 5322 section 3.6.4) or providers replace it.
func checkMessageID(id string) (string, error) {
	s, err := checkID("Message-ID", id)
	if err != nil {
		return "", err
	}
	if !validID("<" + s + ">") {
		return "", newError("bad_id", "Message-ID",
			NewText("mime.invalid_message_id",
				"The Message-ID {id} is not valid: it has one @ between letters, digits and dots, such as "+
					"<1234@example.com>; or leave it empty.",
				"id", strconv.Quote(shorten(id))))
	}
	return s, nil
}

// checkFieldName accepts the name of a further field (RFC 5322 section 3.6.8)
// that neither the draft, nor mail servers, nor the gateway write themselves.
func checkFieldName(name string) error {
	ok := name != "" && len(name) <= maxName
	for i := 0; ok && i < len(name); i++ {
		ok = name[i] > ' ' && name[i] <= '~' && name[i] != ':'
	}
	if !ok {
		return newError("bad_header_name", "Headers",
			NewText("mime.bad_header_name",
				"The header name {name} is not valid: use letters, digits and hyphens, such as X-Order.",
				"name", strconv.Quote(shorten(name))))
	}
	switch lower := strings.ToLower(name); {
	case strings.HasPrefix(lower, "content-"), strings.HasPrefix(lower, "resent-"):
	case isReserved(lower):
	default:
		return nil
	}
	return newError("reserved_header", name,
		NewText("mime.reserved_header",
			"The header {name} cannot be added: it is written from the draft's own fields or by mail servers.",
			"name", name))
}

func isReserved(lower string) bool {
	switch lower {
	case "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references",
		"list-unsubscribe", "list-unsubscribe-post", "mime-version", "return-path", "received", "x-postino-not-sent":
		return true
	}
	return false
}
