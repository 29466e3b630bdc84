package smtpd_test

import (
	"fmt"
	"strings"
)

// A turn is what the client sends at once; then it reads so many replies. A
// turn of content is sent only where 354 was said.
type turn struct {
	send    string
	replies int
	content bool
	hangUp  bool // end the connection in place of it
}

// A dialogue is one conversation. {from}, {to} and {cc} stand for addresses
// that differ by the way, {tag} for its name.
type dialogue struct {
	name  string
	turns []turn
}

const (
	dialogueHead = "From: {from}\r\nTo: {to}\r\nSubject: dialogue\r\nMessage-ID: <{tag}@contoso.example>\r\nDate: Sun, 29 Nov 2026 " +
		"10:00:00 +0000\r\nMIME-Version: 1.0\r\n\r\n"
	dialogueEnd = "\r\n.\r\n"
)

func say(lines ...string) (out []turn) {
	for _, l := range lines {
		out = append(out, turn{send: l + "\r\n", replies: 1})
	}
	return out
}

// data is content by DATA, with its dots stuffed as a careful client does.
func data(content string) []turn {
	stuffed := strings.TrimPrefix(strings.ReplaceAll("\r\n"+content, "\r\n.", "\r\n.."), "\r\n")
	return rawData(strings.TrimSuffix(stuffed, "\r\n") + dialogueEnd)
}

func rawData(content string) []turn {
	return append(say("DATA"), turn{send: content, replies: 1, content: true})
}

// bdat is content in chunks: one, or the header and a few of about equal size.
func bdat(content string, chunks int) (out []turn) {
	size := len(content)
	if chunks > 1 {
		head := strings.Index(content, "\r\n\r\n") + 4
		out = append(out, turn{send: fmt.Sprintf("BDAT %d\r\n%s", head, content[:head]), replies: 1})
		content = content[head:]
		size = len(content)/(chunks-1) + 1
	}
	for len(content) > 0 {
		n := min(size, len(content))
		last := ""
		if n == len(content) {
			last = " LAST"
		}
		out = append(out, turn{send: fmt.Sprintf("BDAT %d%s\r\n%s", n, last, content[:n]), replies: 1})
		content = content[n:]
	}
	return out
}

func join(parts ...[]turn) (out []turn) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// dialogues crosses fragments of content with places and transports, and those
// of commands with the command they are said in.
func dialogues() (out []dialogue) {
	add := func(name string, turns ...[]turn) { out = append(out, dialogue{name, join(turns...)}) }
	hello := say("EHLO pc")
	mail, rcpt := "MAIL FROM:<{from}>", "RCPT TO:<{to}>"
	envelope := say(mail, rcpt)
	plain := data(dialogueHead + "ciao\r\n")

	fragments := []struct{ name, text string }{
		{"plain", "x"}, {"dot", "."}, {"dots", ".."}, {"dot-text", ".x"}, {"dot-space", ". "}, {"spaces", "x  "}, {"tab", "\tx"},
		{"empty-lines", "\r\n\r\n"},
		{"8bit", "perch\xc3\xa9"}, {"latin1", "perch\xe9"}, {"998", strings.Repeat("x", 998)}, {"999", strings.Repeat("x", 999)},
		{"5000", strings.Repeat("y", 5000)},
		{"from-line", "From x"}, {"nul", "a\x00b"}, {"bare-lf", "a\nb"}, {"bare-cr", "a\rb"}, {"lf-dot-lf", "a\n.\nb"},
		{"lf-dot-crlf", "a\n.\r\nb"},
		{"cr-dot-cr", "a\r.\rb"}, {"crcrlf", "a\r\r\nb"}, {"del", "a\x7fb\x01"},
	}
	for _, f := range fragments {
		for place, content := range map[string]string{"only": f.text + "\r\n", "first": f.text + "\r\nciao\r\n", "last": "ciao\r\n" + f.text +
			"\r\n", "middle": "uno\r\n" + f.text + "\r\ndue\r\n"} {
			for transport, turns := range map[string][]turn{"data": data(dialogueHead + content), "bdat-1": bdat(dialogueHead+content, 1),
				"bdat-3": bdat(dialogueHead+content, 3)} {
				add(f.name+"/"+place+"/"+transport, hello, envelope, turns)
			}
		}
	}
	for name, line := range map[string]string{
		"no-brackets": "MAIL FROM:{from}", "space": "MAIL FROM: <{from}>", "spaces": "MAIL   FROM:  <{from}>   ", "lower": "mail from:<{from}>",
		"size": mail + " SIZE=100", "size-twice": mail + " SIZE=1 SIZE=100",
		"size-large": mail + " SIZE=99999999999", "size-text": mail + " SIZE=x", "body-7": mail + " BODY=7BIT", "body-8": mail +
			" body=8bitmime", "body-bad": mail + " BODY=x", "auth": mail + " AUTH=<>",
		"utf8": mail + " SMTPUTF8", "ret": mail + " RET=HDRS", "ret-bad": mail + " RET=ALL", "ret-twice": mail + " RET=FULL RET=HDRS",
		"envid": mail + " ENVID=a+2Bb", "envid-lower": mail + " ENVID=a+2bb",
		"envid-bad": mail + " ENVID=a+0Ab", "envid-equals": mail + " ENVID=a=b", "envid-long": mail + " ENVID=" + strings.Repeat("x", 101),
		"unknown": mail + " FROB=1",
		"doubled": "MAIL FROM:<<{from}>>", "inside-space": "MAIL FROM:< {from} >", "no-end": "MAIL FROM:<{from}",
		"no-colon": "MAIL FROM <{from}>", "two": "MAIL FROM:<{from}>,<{from}>", "name": "MAIL FROM:Ufficio <{from}>",
		"glued": mail + "SIZE=1", "empty": "MAIL FROM:", "tab": "MAIL\tFROM:<{from}>", "leading-space": "  " + mail, "null": "MAIL FROM:<>",
		"route": "MAIL FROM:<@a.example:{from}>",
	} {
		add("mail/"+name, hello, say(line, rcpt), plain)
	}
	for name, line := range map[string]string{
		"no-brackets": "RCPT TO:{to}", "space": "RCPT TO: <{to}>", "lower": "rcpt to:<{to}>", "route": "RCPT TO:<@a.example,@b.example:{to}>",
		"doubled": "RCPT TO:<<{to}>>", "no-end": "RCPT TO:<{to}", "two": "RCPT TO:<{to}>,<{cc}>",
		"empty": "RCPT TO:<>", "unknown": rcpt + " FROB=1", "notify": rcpt + " NOTIFY=SUCCESS,FAILURE", "notify-never": rcpt + " NOTIFY=NEVER",
		"notify-both":  rcpt + " NOTIFY=NEVER,SUCCESS",
		"notify-twice": rcpt + " NOTIFY=SUCCESS,SUCCESS", "notify-empty": rcpt + " NOTIFY=", "notify-bad": rcpt + " NOTIFY=FROB", "orcpt": rcpt +
			" ORCPT=rfc822;a+2Bb@example.com", "orcpt-utf8": rcpt + " ORCPT=rfc822;b+C3+BCcher@example.com",
		"orcpt-no-type": rcpt + " ORCPT=a@example.com", "orcpt-lower": rcpt + " ORCPT=rfc822;a+2bb@example.com", "orcpt-equals": rcpt +
			" ORCPT=rfc822;a=b@example.com",
	} {
		add("rcpt/"+name, hello, say(mail, line, "RCPT TO:<{cc}>"), plain)
	}
	for name, line := range map[string]string{"none": "NOOP", "helo": "HELO pc", "underscore": "EHLO my_pc", "address": "EHLO 192.168.1.7",
		"words": "EHLO my pc", "brackets": "EHLO <pc>", "8bit": "EHLO b\xc3\xbcro",
		"empty": "EHLO", "long": "EHLO " + strings.Repeat("x", 300)} {
		add("hello/"+name, say(line), say(mail+" SIZE=50", rcpt), plain)
	}
	stages := []turn{}
	for _, l := range []string{"EHLO pc", mail, rcpt, "RCPT TO:<{cc}>", "DATA"} {
		stages = append(stages, say(l)...)
	}
	for i := range stages {
		add(fmt.Sprintf("abort/after-%d", i), stages[:i+1], []turn{{hangUp: true}})
		add(fmt.Sprintf("abort/inside-%d", i), stages[:i], []turn{{send: strings.TrimSuffix(stages[i].send, "\r\n")}, {hangUp: true}})
		if i < 4 {
			add(fmt.Sprintf("rset/after-%d", i), stages[:i+1], say("RSET"), envelope, plain)
			add(fmt.Sprintf("hello-again/after-%d", i), stages[:i+1], hello, envelope, plain)
			add(fmt.Sprintf("quit/after-%d", i), stages[:i+1], say("QUIT"))
		}
	}
	add("abort/inside-content", hello, envelope, say("DATA"), []turn{{send: dialogueHead + "ciao\r\n", content: true}, {hangUp: true}})
	add("abort/inside-bdat", hello, envelope, []turn{{send: "BDAT 5000\r\n" + dialogueHead}, {hangUp: true}})
	add("pipelined/group", hello, []turn{{send: mail + "\r\n" + rcpt + "\r\nRCPT TO:<{cc}>\r\nDATA\r\n", replies: 4}}, plain[1:])
	add("pipelined/group-with-refusal", hello, []turn{{send: mail + "\r\nRCPT TO:<>\r\n" + rcpt + "\r\nDATA\r\n", replies: 4}}, plain[1:])
	add("pipelined/bdat", hello, []turn{{send: mail + "\r\n" + rcpt + "\r\n" + bdat(dialogueHead+"ciao\r\n", 1)[0].send, replies: 3}})
	add("pipelined/two-messages", hello, envelope, say("DATA"),
		[]turn{{send: dialogueHead + "uno" + dialogueEnd + mail + "\r\n" + rcpt + "\r\nDATA\r\n", replies: 4, content: true}}, plain[1:])
	add("order/no-mail", hello, say(rcpt), plain)
	add("order/no-rcpt", hello, say(mail), plain)
	add("order/mail-twice", hello, say(mail, mail, rcpt), plain)
	add("order/data-behind-bdat", hello, envelope, []turn{{send: "BDAT 4\r\nFrom", replies: 1}}, say("DATA", "RSET"), envelope, plain)
	add("order/bdat-without-mail", hello, []turn{{send: "BDAT 4 LAST\r\nFrom", replies: 1}}, envelope, plain)
	add("two-messages", hello, envelope, plain, envelope, plain)
	return out
}
