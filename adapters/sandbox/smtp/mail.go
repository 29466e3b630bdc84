package smtp

import (
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/internal/smtpsyntax"
)

// A transaction is one mail transaction, from MAIL on.
type transaction struct {
	from     string
	rcpts    []string
	eightBit bool
	utf8     bool
	bdat     *body // once BDAT began
}

// endTransaction forgets the transaction, a half-sent message included.
func (c *session) endTransaction() {
	if c.tx != nil && c.tx.bdat != nil {
		c.discard(c.tx.bdat)
	}
	c.tx = nil
}

// style is exchange, gmail, or plain.
func (c *session) style() string { return c.switches().SMTPStyle }

// switches are the sandbox's; a session that came by the proxy has the style of the
// vendor of the host that it named.
func (c *session) switches() control.Switches {
	sw := c.server.core.Switches()
	if c.vendor != "" {
		sw.SMTPStyle = c.vendor
	}
	return sw
}

func (c *session) mail(arg string) string {
	sw := c.switches()
	switch {
	case c.helo == "":
		return "503 5.5.1 Error: send HELO/EHLO first"
	case c.tx != nil:
		return "503 5.5.1 Error: nested MAIL command"
	case c.login == "" && !sw.SMTPOpen && !c.mayAuthenticate():
		return "530 5.7.0 Must issue a STARTTLS command first"
	case c.login == "" && !sw.SMTPOpen && sw.SMTPStyle == "exchange":
		return "530 5.7.57 Client not authenticated to send mail. [localhost]"
	case c.login == "" && !sw.SMTPOpen:
		return "530 5.7.0 Authentication Required"
	}
	p, text := parsePath(arg, "FROM:")
	if text != "" {
		c.server.violation("MAIL: %s", text)
		return "501 5.5.4 " + text
	}
	tx := &transaction{from: p.Address}
	for _, param := range p.Params {
		if reply := c.mailParam(tx, param, sw); reply != "" {
			return reply
		}
	}
	if !isASCII(p.Address) && !tx.utf8 { // contracts F15
		c.server.violation("UTF-8 in MAIL without SMTPUTF8")
		return "553 5.6.7 Non-ASCII address without SMTPUTF8"
	}
	c.tx = tx
	return "250 2.1.0 Ok"
}

// mailParam applies one parameter of MAIL; the reply is "" when it is in order.
func (c *session) mailParam(tx *transaction, p smtpsyntax.Param, sw control.Switches) string {
	unknown := "555 5.5.4 Unsupported option: " + p.Name
	if !c.esmtp {
		return unknown
	}
	switch p.Name {
	case "SIZE":
		n, err := strconv.ParseUint(p.Value, 10, 63)
		switch {
		case !c.offers("SIZE"):
			return unknown
		case err != nil:
			return "501 5.5.4 Bad SIZE"
		case sw.SMTPSize > 0 && int64(n) > sw.SMTPSize:
			return tooLargeReply(sw)
		}
	case "BODY":
		switch body := strings.ToUpper(p.Value); {
		case !c.offers("8BITMIME"):
			return unknown
		case body == "8BITMIME":
			tx.eightBit = true
		case body != "7BIT":
			return "501 5.5.4 Bad BODY"
		}
	case "SMTPUTF8":
		if p.HasValue || !c.offers("SMTPUTF8") {
			return unknown
		}
		tx.utf8 = true
	case "AUTH":
		if p.Value != "<>" && !smtpsyntax.IsXtext(p.Value) {
			return "501 5.5.4 Bad AUTH"
		}
	case "RET":
		if !c.offers("DSN") {
			return unknown
		}
		if v := strings.ToUpper(p.Value); v != "FULL" && v != "HDRS" {
			return "501 5.5.4 Bad RET"
		}
	case "ENVID":
		if !c.offers("DSN") {
			return unknown
		}
		if !smtpsyntax.IsXtext(p.Value) || len(p.Value) > 100 { // RFC 3461 section 4.4
			return "501 5.5.4 Bad ENVID"
		}
	default:
		return unknown
	}
	return ""
}

// tooLargeReply is RFC 1870 section 6.1; Gmail's own of contracts D5.
func tooLargeReply(sw control.Switches) string {
	if sw.SMTPStyle == "gmail" {
		return "552 5.2.3 Your message exceeded Google's message size limits."
	}
	return "552 5.3.4 Message size exceeds fixed limit"
}

// maxRecipients in a transaction (contracts C3.2, D4; RFC 5321 section 4.5.3.1.8).
func maxRecipients(style string) int {
	if style == "exchange" {
		return 500
	}
	return 100
}

func (c *session) rcpt(arg string) string {
	if c.tx == nil || c.tx.bdat != nil {
		return "503 5.5.1 Error: need MAIL command"
	}
	p, text := parsePath(arg, "TO:")
	if text == "" && p.Address == "" {
		text = "Bad address syntax"
	}
	if text != "" {
		c.server.violation("RCPT: %s", text)
		return "501 5.5.4 " + text
	}
	if !isASCII(p.Address) && !c.tx.utf8 {
		c.server.violation("UTF-8 in RCPT without SMTPUTF8")
		return "553 5.6.7 Non-ASCII address without SMTPUTF8"
	}
	for _, param := range p.Params {
		if reply := c.rcptParam(param); reply != "" {
			return reply
		}
	}
	if len(c.tx.rcpts) >= maxRecipients(c.style()) {
		return "452 4.5.3 Your message has too many recipients."
	}
	if reply := c.server.convention(c.tx.from, p.Address); reply != "" {
		return reply
	}
	c.tx.rcpts = append(c.tx.rcpts, p.Address)
	return "250 2.1.5 Ok"
}

func (c *session) rcptParam(p smtpsyntax.Param) string {
	if !c.esmtp || !c.offers("DSN") || p.Name != "NOTIFY" && p.Name != "ORCPT" {
		return "555 5.5.4 Unsupported option: " + p.Name
	}
	if p.Name == "ORCPT" {
		kind, addr, ok := strings.Cut(p.Value, ";")
		if !ok || kind == "" || addr == "" || len(p.Value) > 500 {
			return "501 5.5.4 Bad ORCPT"
		}
		// RFC 6533 section 3: utf-8 addresses may come as they are.
		if !strings.EqualFold(kind, "utf-8") && !smtpsyntax.IsXtext(addr) {
			return "501 5.5.4 Bad ORCPT"
		}
		return ""
	}
	seen := map[string]bool{}
	for v := range strings.SplitSeq(strings.ToUpper(p.Value), ",") {
		if v != "NEVER" && v != "SUCCESS" && v != "FAILURE" && v != "DELAY" || seen[v] {
			return "501 5.5.4 Bad NOTIFY"
		}
		seen[v] = true
	}
	if seen["NEVER"] && len(seen) > 1 { // RFC 3461 section 4.1
		return "501 5.5.4 Bad NOTIFY"
	}
	return ""
}

// convention refuses recipients by their name: see Server.
func (v *Server) convention(sender, recipient string) string {
	local, _, _ := strings.Cut(recipient, "@")
	plus := strings.LastIndexByte(local, '+')
	if plus < 0 || len(local)-plus != 4 {
		return ""
	}
	code, err := strconv.Atoi(local[plus+1:])
	if err != nil || code < 400 || code > 599 {
		return ""
	}
	if local[:plus] == "once" && v.sentBefore(sender, recipient) {
		return ""
	}
	reply := strconv.Itoa(code) + " "
	switch code {
	case 450:
		return reply + "4.2.1 <" + recipient + ">: Recipient is receiving mail too quickly"
	case 451:
		return reply + "4.7.1 <" + recipient + ">: Greylisted, try again later"
	case 452:
		return reply + "4.2.2 <" + recipient + ">: Mailbox full"
	case 550:
		return reply + "5.1.1 <" + recipient + ">: Recipient address rejected: User unknown"
	case 552:
		return reply + "5.2.2 <" + recipient + ">: Mailbox full"
	case 553:
		return reply + "5.1.3 <" + recipient + ">: Bad recipient address"
	}
	return reply + strconv.Itoa(code/100) + ".0.0 <" + recipient + ">: Refused"
}
