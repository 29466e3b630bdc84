package adapters

import (
	"bytes"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// PlainText returns the content of a text file (JSON, PEM) as UTF-8 without a
// byte order mark: editors on Windows write one, PowerShell writes UTF-16.
// Without a mark the content comes back as it is.
func PlainText(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) && !bytes.HasPrefix(data, []byte("\xff\xfe")) &&
		!bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return data
	}
	out, _, err := transform.Bytes(unicode.BOMOverride(encoding.Nop.NewDecoder()), data)
	if err != nil {
		return data // whoever reads it says what is wrong
	}
	return out
}
