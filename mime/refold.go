package mime

import (
	"strings"
	"unicode/utf8"
)

// downgrade writes a field with raw octets over 127 in ASCII: encoded words in
// text and display names, A-labels in domains, RFC 2231 in parameters. It is
// false when the local part of an address needs SMTPUTF8 (RFC 6532).
func downgrade(name string, value []byte) ([]byte, bool) {
	if isAddressList(name) {
		list := &addrList{}
		parseAddresses(list, value, maxWritten)
		if list.writable(name) {
			for i := range list.boxes {
				b := &list.boxes[i]
				if !b.addr.Address.IsASCII() {
					return nil, false
				}
				b.plain = b.plain && isASCII(b.raw)
			}
			return writeList(name, list, func(*box) bool { return true }), true
		}
	}
	if isParameterized(name) {
		return writeParams(name, value), true
	}
	f := newField(name)
	f.text(sanitize(toUTF8([]byte(unfold(value)))))
	return f.raw(), true
}

// maxWritten bounds the entries of a list that is written again for its form alone.
const maxWritten = 10 * maxRecipients

// writable reports a list that can be written again and says the same then.
func (l *addrList) writable(name string) bool {
	return l.usable() && len(l.boxes) <= maxWritten && (!mails([]byte(name)) || l.unclear() == nil)
}

// usable reports a list of which every entry is an address.
func (l *addrList) usable() bool {
	for i := range l.boxes {
		if l.boxes[i].bad {
			return false
		}
	}
	return len(l.boxes) > 0
}

// refold writes a field with lines longer than maxLine on shorter ones
// without changing what it says; an error where white space to fold at is missing.
func refold(name string, value []byte) ([]byte, *Error) {
	var out []byte
	list := &addrList{}
	if isAddressList(name) {
		parseAddresses(list, value, maxWritten)
	}
	switch {
	case list.writable(name):
		out = writeList(name, list, func(*box) bool { return true })
	case isParameterized(name):
		out = writeParams(name, value)
	case strings.EqualFold(name, "Subject"), strings.EqualFold(name, "Comments"), strings.EqualFold(name, "Content-Description"):
		f := newField(name)
		f.text(decodeWords(unfold(value)))
		out = f.raw()
	default:
		f := newField(name)
		text := unfold(value)
		if strings.EqualFold(name, "References") || strings.EqualFold(name, "In-Reply-To") {
			text = strings.ReplaceAll(text, "><", "> <")
		}
		for _, w := range splitWords(text) {
			f.word(w.ws, w.text)
		}
		out = f.raw()
	}
	if longestLine(out) > maxLine {
		return nil, newError("long_header", name, NewText("mime.long_header",
			"The header field {name} has a line of more than {max_line} octets without a space to fold it at: shorten it.",
			"name", shorten(name), "max_line", maxLine))
	}
	return out, nil
}

// isAddressList reports the fields with an address list as value.
func isAddressList(name string) bool {
	return kindOf(name) != kindOther || isOtherAddressField([]byte(name))
}

func isParameterized(name string) bool {
	return strings.EqualFold(name, "Content-Type") || strings.EqualFold(name, "Content-Disposition")
}

// writeParams writes a Content-Type or Content-Disposition again.
func writeParams(name string, value []byte) []byte {
	first, params := parseParams(unfold(value))
	f := newField(name)
	f.word(" ", strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?' // no media type or disposition holds such a character
		}
		return r
	}, sanitize(first)))
	for _, k := range sortedKeys(params) {
		if isToken(k) && isASCII(k) {
			f.param(k, sanitize(decodeName(k, params[k])))
		}
	}
	return f.raw()
}

// decodeName undoes RFC 2047 in the parameters that hold file names.
func decodeName(param, v string) string {
	if param == "name" || param == "filename" {
		return decodeWords(v)
	}
	return v
}

// headEdit says how recode changes a header block.
type headEdit struct {
	encoding string // new Content-Transfer-Encoding; empty: as it is
	ascii    bool   // downgrade raw octets over 127
	hide     bool   // leave out Bcc and Resent-Bcc
	message  bool   // of a message, where MIME-Version says that encoding counts (RFC 2045 section 4)
}

// recode returns h with the changes of e and no line over maxLine; all other
// fields keep their bytes. The empty line at the end is there.
func (h *block) recode(e headEdit) ([]byte, *Error) {
	out := make([]byte, 0, len(h.raw)+128)
	eol := h.eol()
	enc := e.encoding
	for _, f := range h.fields {
		raw := h.line(f)
		switch {
		case e.hide && (f.kind == kindBcc || f.kind == kindResentBcc):
			continue
		case e.encoding != "" && h.is(f, "Content-Transfer-Encoding"):
			if enc == "" {
				continue // a second one
			}
			raw, enc = withEOL([]byte(string(h.name(f))+": "+enc+crlf), eol), ""
		case e.ascii && !isASCII(raw):
			b, ok := downgrade(string(h.name(f)), h.value(f))
			if !ok {
				return nil, newError("needs_utf8", string(h.name(f)), NewText("mime.needs_utf8",
					"{f} holds an address with letters outside ASCII before the @, which this server does not take (no "+
						"SMTPUTF8): use another address or another connection.",
					"f", shorten(string(h.name(f)))))
			}
			raw = withEOL(b, eol)
		case longestLine(raw) > maxLine:
			b, err := refold(string(h.name(f)), h.value(f))
			if err != nil {
				return nil, err
			}
			raw = withEOL(b, eol)
		}
		out = append(out, raw...)
		if n := len(out); n > 0 && out[n-1] != '\n' {
			out = append(out, eol...)
		}
	}
	if enc != "" {
		out = append(out, "Content-Transfer-Encoding: "+enc+eol...)
	}
	if _, has := h.first("MIME-Version"); e.message && e.encoding != "" && !has {
		out = append(out, "MIME-Version: 1.0"+eol...)
	}
	if rest := h.rest(); len(rest) > 0 {
		return append(out, rest...), nil
	}
	return append(out, eol...), nil
}
