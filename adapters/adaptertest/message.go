package adaptertest

import (
	"bytes"
	"io"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// message builds a message; to and cc are shown, the envelope is given apart.
func message(t testing.TB, from, id string, to, cc, bcc []string) *mime.Message {
	t.Helper()
	list := func(in []string) (out []mime.Address) {
		for _, a := range in {
			out = append(out, mime.Address{Name: "Società " + a[:1], Address: mailbox(t, a)})
		}
		return out
	}
	m, err := mime.Build(&mime.Draft{From: mime.Address{Name: "Perché Srl", Address: mailbox(t, from)}, To: list(to), Cc: list(cc),
		Bcc:     list(bcc),
		Subject: "Fattura n° 42 – " + id, Text: "Così è.\n.\n..due punti\nFrom qui\n", HTML: "<p>Così è</p>",
		Headers: []mime.Field{{Name: "X-Test-Id", Value: id}}})
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return m
}

func outgoing(t testing.TB, m *mime.Message, from string, rcpts ...string) adapters.Outgoing {
	t.Helper()
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailbox(t, from)}, ID: "4a4e7a52-2c3e-4c7b-9f0e-000000000001"}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailbox(t, r)})
	}
	return out
}

func mailbox(t testing.TB, addr string) mime.Mailbox {
	t.Helper()
	m, err := mime.ParseMailbox(addr)
	if err != nil {
		t.Fatalf("ParseMailbox: %v", err)
	}
	return m
}

// big is m with an attachment that brings it to at least size bytes, without holding them.
func big(m *mime.Message, size int64) mime.Source {
	head, _, _ := bytes.Cut(m.Head(), []byte("MIME-Version:"))
	var b bytes.Buffer
	b.Write(head)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"adaptertest\"\r\n\r\n" +
		"--adaptertest\r\nContent-Type: text/plain\r\n\r\nsee attachment\r\n" +
		"--adaptertest\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"scan.bin\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n")
	n := (size - int64(b.Len()) + line - 1) / line
	return mime.Join(mime.Bytes(b.Bytes()), Base64Lines(n*line), mime.Bytes([]byte("--adaptertest--\r\n")))
}

// line is a line of base64 with its CRLF.
const line = 78

// Base64Lines is the content of an attachment as it stands in a message, of
// size bytes in lines of 76 characters, held nowhere. Whole lines need a
// multiple of 78.
func Base64Lines(size int64) mime.Source { return base64Lines{size} }

type base64Lines struct{ size int64 }

func (l base64Lines) Size() int64 { return l.size }

func (l base64Lines) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for ; n < len(p) && off < l.size; n, off = n+1, off+1 {
		switch off % 78 {
		case 76:
			p[n] = '\r'
		case 77:
			p[n] = '\n'
		default:
			p[n] = 'A' + byte((off/78+off)%26)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
