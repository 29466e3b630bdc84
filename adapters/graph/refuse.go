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
		text("the text of the message alone is over the 3 MB that Microsoft Graph takes without attachments",
			"il solo testo del messaggio supera i 3 MB che Microsoft Graph accetta senza allegati"),
		text("send long content as an attachment, refer to images by Content-ID in place of data: addresses, or name a fallback connection by SMTP",
			"inviare i contenuti lunghi come allegato, riferire le immagini con Content-ID al posto degli indirizzi data:, oppure indicare una connessione SMTP alternativa"))
	e.TooLarge = true
	return e
}

// protectedTooLarge is contracts F22.
func (a *Adapter) protectedTooLarge() error {
	e := a.refuse("protected_too_large", "5.3.4",
		text("the message is signed or encrypted and over 3 MB: Microsoft Graph would rebuild it and break that",
			"il messaggio è firmato o cifrato e supera 3 MB: Microsoft Graph lo ricostruirebbe, rompendo la firma o la cifratura"),
		text("name a fallback connection by SMTP for such mail", "indicare una connessione SMTP alternativa per questa posta"))
	e.TooLarge = true
	return e
}

// encodingTooLarge names the part that Graph cannot get as a file, because its
// content is not known: its encoding is not, or it is damaged.
func (a *Adapter) encodingTooLarge(p *mime.Part) error {
	name, enc := fileName(p), shorten(p.Encoding)
	what, cosa := "in the encoding "+enc+", which postino does not know", "nella codifica "+enc+", che postino non conosce"
	if p.Decodable() {
		what, cosa = "not valid "+enc, "codificato male ("+enc+")"
	}
	e := a.refuse("encoding_too_large", "5.6.1",
		text("the message is over 3 MB, and its attachment "+name+" is "+what+": Microsoft Graph takes such attachments decoded only",
			"il messaggio supera 3 MB e il suo allegato "+name+" è "+cosa+": Microsoft Graph accetta tali allegati solo decodificati"),
		text("let the sending program encode it as base64, or name a fallback connection by SMTP",
			"far codificare l'allegato in base64 dal programma che invia, oppure indicare una connessione SMTP alternativa"))
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
