package graph

import "github.com/postino-mail/postino/mime"

// tooLarge says why a message cannot be brought under the ceiling: rest octets
// are left without everything that can be taken out, and stays are the parts
// that cannot.
func (a *Adapter) tooLarge(rest int64, stays []*mime.Part) error {
	var largest *mime.Part
	for _, p := range stays {
		rest -= p.End - p.HeaderStart
		if largest == nil || p.End-p.HeaderStart > largest.End-largest.HeaderStart {
			largest = p
		}
	}
	switch {
	case largest == nil || rest > a.ceiling: // the text is long by itself
	case largest.Sealed():
		return a.protectedTooLarge()
	default:
		return a.encodingTooLarge(largest)
	}
	e := a.refuse("text_too_large", "5.3.4",
		mime.NewText("graph.text_too_long",
			"the text of the message alone is over the 3 MB that Microsoft Graph takes without attachments"),
		mime.NewText("graph.send_as_attachment",
			"send long content as an attachment, refer to images by Content-ID in place of data: addresses, or name a "+
				"fallback connection by SMTP"))
	e.TooLarge = true
	return e
}

// protectedTooLarge is contracts F22.
func (a *Adapter) protectedTooLarge() error {
	e := a.refuse("protected_too_large", "5.3.4",
		mime.NewText("graph.signed_and_large",
			"the message is signed or encrypted and over 3 MB: Microsoft Graph would rebuild it and break that"),
		mime.NewText("graph.name_fallback",
			"name a fallback connection by SMTP for such mail"))
	e.TooLarge = true
	return e
}

// encodingTooLarge names the part that Graph cannot get as a file, because its
// content is not known: its encoding is not, or it is corrupt.
func (a *Adapter) encodingTooLarge(p *mime.Part) error {
	name, enc := fileName(p), shorten(p.Encoding)
	what := mime.NewText("graph.encoding_unknown",
		"the message is over 3 MB, and its attachment {name} is in the encoding {encoding}, which postino does not know: "+
			"Microsoft Graph takes such attachments decoded only",
		"name", name, "encoding", enc)
	if p.Decodable() {
		what = mime.NewText("graph.encoding_invalid",
			"the message is over 3 MB, and its attachment {name} is not valid {encoding}: "+
				"Microsoft Graph takes such attachments decoded only",
			"name", name, "encoding", enc)
	}
	e := a.refuse("encoding_too_large", "5.6.1", what,
		mime.NewText("graph.encode_base64",
			"let the sending program encode it as base64, or name a fallback connection by SMTP"))
	e.TooLarge = true
	return e
}

// shorten keeps a foreign word in an error short.
func shorten(s string) string {
	const longest = 40
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}
