package smtpd

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/smtpsyntax"
	"github.com/postino-mail/postino/mime"
)

// These parameters only serve reports (RFC 3461). A program that writes one wrongly
// gets a report that says less: its mail is accepted all the same.

const (
	maxEnvID = 100 // octets of xtext (RFC 3461 section 4.4)
	maxOrcpt = 500 // RFC 3461 section 4.2
)

// parseRet returns FULL or HDRS, and nothing for anything else (RFC 3461 section 4.3).
func parseRet(v string) mime.Ret {
	if r := mime.Ret(strings.ToUpper(v)); r.Valid() {
		return r
	}
	return ""
}

// parseEnvID returns the decoded identifier, and nothing when it could not stand in
// a report or be passed to the next server.
func parseEnvID(v string) string {
	text := smtpsyntax.DecodeXtext(v)
	if len(v) > maxEnvID || !printableASCII(text) {
		return ""
	}
	return text
}

// parseNotify returns the known keywords, once each (RFC 3461 section 4.1). NEVER
// contradicts any other: then none counts, and failures are reported.
func parseNotify(v string) (out []mime.Notify) {
	for word := range strings.SplitSeq(strings.ToUpper(v), ",") {
		if w := mime.Notify(word); mime.ValidNotify([]mime.Notify{w}) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if !mime.ValidNotify(out) {
		return nil
	}
	return out
}

// parseOrcpt reads addr-type;xtext, or utf-8;address (RFC 6533 section 3), and
// returns nothing for anything else. An rfc822 address with UTF-8 in it, as Postfix
// writes it, becomes one of type utf-8.
func parseOrcpt(v string, utf8Allowed bool) string {
	kind, text, ok := strings.Cut(v, ";")
	kind = strings.ToLower(kind)
	if !ok || len(v) > maxOrcpt || !smtpsyntax.IsKeyword(strings.ToUpper(kind)) {
		return ""
	}
	if kind == "utf-8" {
		if text, ok = smtpsyntax.DecodeUnitext(text, utf8Allowed); !ok {
			return ""
		}
		return kind + ";" + text
	}
	text = smtpsyntax.DecodeXtext(text)
	switch {
	case printableASCII(text):
		return kind + ";" + text
	case kind == "rfc822" && printableUTF8(text):
		return "utf-8;" + text
	}
	return ""
}

func printableASCII(v string) bool {
	return v != "" && strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func printableUTF8(v string) bool {
	return v != "" && utf8.ValidString(v) && strings.IndexFunc(v, func(r rune) bool {
		return r == utf8.RuneError || !strconv.IsPrint(r)
	}) < 0
}
