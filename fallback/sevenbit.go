package fallback

import (
	"errors"
	"io"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// sevenBit gives the view of a message for a server without 8BITMIME (RFC 6152
// section 3): view itself where it is 7-bit anyway, which is found out by
// reading it once, else the message with its parts encoded anew.
func sevenBit(m *mime.Message, view mime.Source) (mime.Source, error) {
	eight, err := hasEightBit(view)
	if err != nil || !eight {
		return view, err
	}
	d, ok := any(m).(interface{ SevenBit() (mime.Source, error) })
	if !ok {
		return nil, errProtected
	}
	return d.SevenBit()
}

func hasEightBit(src mime.Source) (bool, error) {
	buf := make([]byte, min(copyBuffer, src.Size()))
	for off := int64(0); off < src.Size(); off += int64(len(buf)) {
		block := buf[:min(int64(len(buf)), src.Size()-off)]
		if n, err := src.ReadAt(block, off); n < len(block) {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return false, &errSource{err}
		}
		for _, c := range block {
			if c > 0x7f {
				return true, nil
			}
		}
	}
	return false, nil
}

func (a *adapter) errSevenBit(err error) *adapters.Error {
	var source *errSource
	if errors.As(err, &source) {
		return a.errUnreadable(source)
	}
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "no_8bitmime", Enhanced: "5.6.3", Err: err,
		Sentence: text("the message holds 8-bit content that must not be changed, and %s takes 7-bit mail only", "il messaggio ha contenuti a 8 bit che non vanno modificati e %s accetta solo posta a 7 bit", a.host),
		Remedy: text("send signed or encrypted mail with 7-bit encodings, or through another connection",
			"inviare la posta firmata o cifrata con codifiche a 7 bit, o da un'altra connessione")}
}
