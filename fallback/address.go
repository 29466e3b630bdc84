package fallback

import (
	"fmt"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// mailLine is the MAIL command (RFC 5321 section 4.1.1.2) with the parameters that the server takes.
func mailLine(env mime.Envelope, c capabilities, size int64, eightBit, utf8 bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MAIL FROM:<%s>", env.From)
	if c.has("SIZE") {
		fmt.Fprintf(&b, " SIZE=%d", size) // RFC 1870
	}
	if eightBit {
		b.WriteString(" BODY=8BITMIME") // RFC 6152
	}
	if utf8 {
		b.WriteString(" SMTPUTF8") // RFC 6531 section 3.4
	}
	if c.has("DSN") { // RFC 3461 sections 4.3, 4.4
		if env.Ret != "" && env.Ret.Valid() {
			b.WriteString(" RET=" + string(env.Ret))
		}
		if id := xtext(env.EnvID); id != "" && len(id) <= 100 {
			b.WriteString(" ENVID=" + id)
		}
	}
	return b.String()
}

// rcptLine is the RCPT command with the recipient's DSN wishes (RFC 3461 sections 4.1, 4.2).
func rcptLine(r mime.Recipient, dsn bool) string {
	line := "RCPT TO:<" + r.Address.String() + ">"
	if !dsn {
		return line
	}
	if n := notify(r.Notify); n != "" {
		line += " NOTIFY=" + n
	}
	if kind, addr, ok := strings.Cut(r.ORcpt, ";"); ok && isAtom(kind) && addr != "" {
		enc := xtext(addr)
		if strings.EqualFold(kind, "utf-8") {
			enc = utf8Xtext(addr)
		}
		if len(kind)+1+len(enc) <= 500 {
			line += " ORCPT=" + kind + ";" + enc
		}
	}
	return line
}

// notify returns the value of NOTIFY, empty when the wishes are none or contradict each other.
func notify(wishes []mime.Notify) string {
	if !mime.ValidNotify(wishes) {
		return ""
	}
	out := make([]string, len(wishes))
	for i, w := range wishes {
		out[i] = string(w)
	}
	return strings.Join(out, ",")
}

func isAtom(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// xtext encodes as RFC 3461 section 4 says.
func xtext(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// utf8Xtext encodes as utf-8-addr-xtext (RFC 6533 section 3), which is valid
// with and without SMTPUTF8.
func utf8Xtext(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < '!' || r > '~' || r == '+' || r == '=' || r == '\\' {
			fmt.Fprintf(&b, `\x{%X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
