package smtpd

import (
	"strings"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/smtpsyntax"
	"github.com/postino-mail/postino/mime"
)

// A syntaxError says what is wrong with a command, with its codes.
type syntaxError struct {
	code     int
	enhanced string
	text     string
}

func badSyntax(code int, enhanced, text string) *syntaxError {
	return &syntaxError{code, enhanced, text}
}

// splitCommand splits a line into verb and argument, with the white space that
// Postfix tolerates. The verb is upper case.
func splitCommand(line []byte) (verb, arg string) {
	text := strings.Trim(string(line), " \t")
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return strings.ToUpper(text[:i]), strings.Trim(text[i:], " \t")
	}
	return strings.ToUpper(text), ""
}

// A pathKind is what differs between MAIL and RCPT.
type pathKind struct {
	keyword string
	bad     string // enhanced code of an invalid address (RFC 3463 section 3.2)
}

var (
	senderPath    = pathKind{"FROM:", "5.1.7"}
	recipientPath = pathKind{"TO:", "5.1.3"}
)

// parsePath reads "FROM:<path> params" or "TO:<path> params", with what Postfix
// tolerates.
func parsePath(arg string, kind pathKind) (smtpsyntax.Path, *syntaxError) {
	p, bad := smtpsyntax.ParsePath(arg, kind.keyword)
	switch bad {
	case "":
		return p, nil
	case smtpsyntax.PathMissing:
		return p, badSyntax(501, "5.5.4", "syntax: "+kind.keyword+"<address>")
	case smtpsyntax.PathNoSpace, smtpsyntax.ParamNoSyntax:
		return p, badSyntax(501, "5.5.4", string(bad))
	}
	return p, badSyntax(501, kind.bad, string(bad))
}

// address returns the form of an address that submit takes.
func address(path string, utf8Allowed bool, kind pathKind) (mime.Mailbox, *syntaxError) {
	if !utf8Allowed && !isASCII(mime.TrimInvisible(path)) {
		return mime.Mailbox{}, badSyntax(553, "5.6.7", "the address has characters outside ASCII: that needs SMTPUTF8 (RFC 6531)")
	}
	a, err := mime.ParseMailbox(path)
	if err != nil {
		return mime.Mailbox{}, badSyntax(553, kind.bad, err.Error())
	}
	return a, nil
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
