//go:build unix

package crashtest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	stdmime "mime"
	"mime/multipart"
	"net/textproto"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox"
)

// Digests that a message carries of itself: of its body, and of its file,
// which is all that stays to the byte where Graph builds the message again.
const (
	bodyDigest = "X-Body-Digest"
	fileDigest = "X-File-Digest"
)

// A size is where a message ends up: in a row of the store, in a spool file,
// or also beyond what Graph takes as MIME (contracts B2.2).
type size int

const (
	inline size = iota
	spooled
	large
)

// sizeOf takes one in 20 large and one in 10 spooled.
func sizeOf(rng *rand.Rand) size {
	switch n := rng.IntN(100); {
	case n < 5:
		return large
	case n < 15:
		return spooled
	}
	return inline
}

// letter makes the message of a token.
func letter(rng *rand.Rand, from, token string, s size) []byte {
	switch s {
	case large:
		// Below 3 MiB the file is attached in one piece, from there in an upload
		// session (contracts B2.3); with base64 the message is over 3 MB always.
		return withFile(from, token, 2_400_000+rng.IntN(2_400_000), rng)
	case spooled:
		return message(from, token, 1500+rng.IntN(2000)) // 100 to 240 KB
	}
	return message(from, token, 1+rng.IntN(150))
}

func head(from, token string) string {
	return fmt.Sprintf("From: <%s>\r\nTo: <anna@example.com>\r\nSubject: %s\r\nMessage-ID: <%s@crash.example>\r\nDate: %s\r\nMIME-Version: "+
		"1.0\r\n",
		from, token, token, time.Now().Format(time.RFC1123Z))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// message has lines of 70 octets.
func message(from, token string, lines int) []byte {
	var body bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&body, "%s %06d %s\r\n", token, i, strings.Repeat("x", 54))
	}
	return fmt.Appendf(nil, "%s%s: %s\r\nContent-Type: text/plain\r\n\r\n%s", head(from, token), bodyDigest, digest(body.Bytes()),
		body.Bytes())
}

// withFile has a file of so many octets.
func withFile(from, token string, octets int, rng *rand.Rand) []byte {
	file := make([]byte, octets)
	source := rand.NewChaCha8([32]byte{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())})
	_, _ = source.Read(file) // never fails
	var body bytes.Buffer
	fmt.Fprintf(&body, "--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Disposition: attachment; filename=%s.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n", token, token)
	text := base64.StdEncoding.EncodeToString(file)
	for ; len(text) > 76; text = text[76:] {
		body.WriteString(text[:76] + "\r\n")
	}
	fmt.Fprintf(&body, "%s\r\n--b--\r\n", text)
	return fmt.Appendf(nil, "%s%s: %s\r\n%s: %s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n%s", head(from, token),
		bodyDigest, digest(body.Bytes()), fileDigest, digest(file), body.Bytes())
}

// intact compares what arrived with the digests in the header.
func intact(sb *sandbox.Sandbox, d sandbox.Delivery) error {
	r, err := sb.Open(d)
	if err != nil {
		return err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok {
		return errors.New("it has no body")
	}
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw))).ReadMIMEHeader()
	if err != nil {
		return err
	}
	rebuilt := d.Route == "draft"
	if !rebuilt && digest(body) != h.Get(bodyDigest) {
		return errors.New("its body is another")
	}
	if want := h.Get(fileDigest); want != "" {
		got, err := files(h, body)
		if err != nil {
			return err
		}
		if len(got) != 1 || got[0] != want {
			return fmt.Errorf("its file is another: %d files", len(got))
		}
	} else if rebuilt {
		return errors.New("it was rebuilt and has no file")
	}
	return nil
}

// files are the digests of all files of a message.
func files(h textproto.MIMEHeader, body []byte) (out []string, err error) {
	media, params, err := stdmime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case err != nil:
		return nil, err
	case media == "application/octet-stream":
		file, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
		return []string{digest(file)}, err
	case !strings.HasPrefix(media, "multipart/"):
		return nil, nil
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		inner, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		more, err := files(p.Header, inner)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
}
