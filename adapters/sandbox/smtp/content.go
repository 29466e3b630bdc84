package smtp

import "bytes"

// maxTextLine is the longest line, without CRLF (RFC 5321 section 4.5.3.1.6,
// RFC 5322 section 2.1.1).
const maxTextLine = 998

// A contentCheck looks at message bytes, however they are cut, for what must
// not cross SMTP (contracts F16-F18).
type contentCheck struct {
	bareLF, bareCR, nul, long bool
	eightHeader, eightBody    bool

	body bool // after the header
	cr   bool // the byte before was CR
	n    int  // of the line so far, CR included
}

func (k *contentCheck) feed(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		seg := p
		if i >= 0 {
			seg = p[:i]
		}
		if len(seg) > 0 {
			if k.cr {
				k.bareCR = true
			}
			if j := bytes.IndexByte(seg, '\r'); j >= 0 && j < len(seg)-1 {
				k.bareCR = true
			}
			k.cr = seg[len(seg)-1] == '\r'
			k.scan(seg)
			k.n += len(seg)
		}
		if i < 0 {
			return
		}
		k.lineEnd()
		p = p[i+1:]
	}
}

func (k *contentCheck) scan(seg []byte) {
	if !k.nul {
		k.nul = bytes.IndexByte(seg, 0) >= 0
	}
	found := &k.eightHeader
	if k.body {
		found = &k.eightBody
	}
	if *found {
		return
	}
	for _, b := range seg {
		if b >= 0x80 {
			*found = true
			return
		}
	}
}

func (k *contentCheck) lineEnd() {
	if k.cr {
		k.n--
	} else {
		k.bareLF = true
	}
	if k.n > maxTextLine {
		k.long = true
	}
	if k.n == 0 {
		k.body = true
	}
	k.n, k.cr = 0, false
}

// end notes a message that does not end with a line end.
func (k *contentCheck) end() {
	if k.cr {
		k.bareCR = true
	}
	if k.n > maxTextLine {
		k.long = true
	}
}

// refusal is the reply to what was found, "" when all is well. eightBit and
// utf8 are the BODY=8BITMIME and SMTPUTF8 of MAIL.
func (k *contentCheck) refusal(eightBit, utf8 bool) string {
	switch {
	case k.bareLF:
		return "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent via DATA" // contracts D5
	case k.bareCR:
		return "550 5.6.11 message contains a bare carriage return"
	case k.nul:
		return "550 5.6.0 message contains a NUL character"
	case k.long:
		return "550 5.6.0 message contains a line of more than 998 characters"
	case k.eightBody && !eightBit:
		return "550 5.6.3 8-bit data without BODY=8BITMIME (RFC 6152)"
	case k.eightHeader && !eightBit && !utf8:
		return "550 5.6.7 8-bit header without SMTPUTF8 (RFC 6531)"
	}
	return ""
}
