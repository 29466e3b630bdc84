package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"testing"
)

// tenMB is an attachment that does not compress.
func tenMB() []byte {
	b := make([]byte, 10<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// BenchmarkCompose10MB and BenchmarkBase64_10MB stand side by side: composing
// may cost 1.5 times the plain encoding of the same bytes (design "Budgets").
func BenchmarkCompose10MB(b *testing.B) {
	data := tenMB()
	d := &Draft{From: Address{Address: mailbox("erp@contoso.example")}, To: people("a@example.com"), Subject: "Scansione",
		Text: "In allegato.",
		HTML: "<p>In allegato.</p>", Attachments: []Attachment{{Filename: "scansione.pdf",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}}}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Compose(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBase64_10MB has neither lines nor structure.
func BenchmarkBase64_10MB(b *testing.B) {
	data := tenMB()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		w := base64.NewEncoder(base64.StdEncoding, io.Discard)
		if _, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(data)}); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkComposeSmall is a typical order confirmation.
func BenchmarkComposeSmall(b *testing.B) {
	d := goldenDrafts()["alternative"]
	b.ReportAllocs()
	for b.Loop() {
		if err := Compose(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}
