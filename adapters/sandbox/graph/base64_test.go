package graph

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func wrapLines(text string) string {
	var b strings.Builder
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	return b.String() + text
}

// What the decoder takes is what was encoded, however it is wrapped; what it
// refuses is not base64.
func FuzzDecodeBase64(f *testing.F) {
	for _, seed := range []string{"", "QQ==", "QUI=", "QUJD\r\nRA==\n", "QQ==QQ==", "QQ", "=", "Q Q=", "QUJD=", "\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, done := new(Server).decodeBase64(iotest.HalfReader(strings.NewReader(text)))
		got, err := io.ReadAll(r)
		done()
		plain := strings.NewReplacer("\r", "", "\n", "").Replace(text)
		want, wantErr := base64.StdEncoding.DecodeString(plain)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%q: %q %v, want %q %v", text, got, err, want, wantErr)
		}
	})
}

func TestDecodeBase64Large(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 20_001)
	for _, text := range []string{base64.StdEncoding.EncodeToString(data), wrapLines(base64.StdEncoding.EncodeToString(data))} {
		for _, src := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)),
			iotest.DataErrReader(strings.NewReader(text))} {
			r, done := new(Server).decodeBase64(src)
			got, err := io.ReadAll(r)
			done()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
	}
}
