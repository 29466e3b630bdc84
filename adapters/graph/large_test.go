package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// blob is n octets that do not repeat early.
func blob(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// base64Lines is b as a MIME body.
func base64Lines(b []byte) string {
	var out strings.Builder
	s := base64.StdEncoding.EncodeToString(b)
	for len(s) > 76 {
		out.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	return out.String() + s + "\n"
}

func filePart(header string, content []byte) string {
	return header + "\nContent-Transfer-Encoding: base64\n\n" + base64Lines(content)
}

const largeHead = "From: ERP <erp@contoso.it>\nTo: Anna <anna@example.com>\nSubject: Disegni\nDate: Sun, 22 Nov 2026 10:00:00 +0100\n" +
	"Message-ID: <large@contoso.it>\nIn-Reply-To: <before@example.com>\nReferences: <before@example.com>\nX-Erp: 42\nMIME-Version: 1.0\n"

// invoice is mixed > related > alternative with an inline image, two large
// files, a small one and an attached message.
func invoice(pdf, zip, image, eml []byte) string {
	return largeHead + "Content-Type: multipart/mixed; boundary=M\n\npreamble\n--M\nContent-Type: multipart/related; boundary=R\n\n--R\n" +
		"Content-Type: multipart/alternative; boundary=A\n\n--A\nContent-Type: text/plain; charset=utf-8\n\nCiao Anna\n--A\n" +
		"Content-Type: text/html\n\n<p>Ciao</p><img src=\"cid:logo@x\">\n--A--\n--R\n" +
		filePart("Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\nContent-Disposition: inline; filename=logo.png", image) +
		"--R--\n--M\n" +
		filePart("Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''Quantit%C3%A0.pdf", pdf) + "--M\n" +
		filePart("Content-Type: text/csv; charset=utf-8\nContent-Disposition: attachment; filename=small.csv", []byte("a;b\n")) + "--M\n" +
		"Content-Type: message/rfc822\n\n" + string(eml) + "\n--M\n" +
		filePart("Content-Type: application/zip\nContent-Disposition: attachment; filename=dwg.zip", zip) + "--M--\nepilogue\n"
}

func TestLarge(t *testing.T) {
	t.Parallel()
	pdf, zip, image := blob(33_000, 1), blob(25_000, 2), blob(24_000, 3)
	eml := []byte("From: x@example.com\nSubject: inner\n\n" + strings.Repeat("innermost line of text\n", 300))
	f, a := newSmallFake(t)
	m := message(t, invoice(pdf, zip, image, eml))
	out := outgoing(m, "anna@example.com", "hidden@example.com")
	if err := a.Check(out); err != nil {
		t.Fatal(err)
	}
	r, err := a.Send(t.Context(), out)
	if err != nil {
		t.Fatal(err, f.ops)
	}
	if r.Route != "upload-session" || r.ProviderID != "draft-1" || r.MessageID != "<changed@exchange>" || r.SHA256 != "" || r.Status != 202 ||
		len(r.Recipients) != 2 {
		t.Errorf("%+v", r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sent != 1 || !f.draft || slices.Contains(f.ops, "delete") {
		t.Errorf("sent %d times: %v", f.sent, f.ops)
	}
	want := map[string]string{
		"Quantità.pdf application/pdf false <nil>": string(pdf), "dwg.zip application/zip false <nil>": string(zip),
		"logo.png image/png true logo@x": string(image),
	}
	for name, content := range want {
		if f.files[name] != content {
			t.Errorf("%s: %d octets arrived, want %d", name, len(f.files[name]), len(content))
		}
	}
	if len(f.files) != len(want) {
		t.Errorf("%d parts taken out; the largest three are enough", len(f.files))
	}
	for _, h := range f.auth {
		if h != "" {
			t.Error("the token went to the upload host")
		}
	}
	// What stayed is MIME that keeps header, alternatives and small parts.
	d, err := mime.Read(mime.Bytes(f.mime), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Get("In-Reply-To") != "<before@example.com>" || d.Get("X-Erp") != "42" || len(d.Bcc()) != 1 ||
		d.Bcc()[0].Address.String() != "hidden@example.com" {
		t.Errorf("header of the draft:\n%s", d.Head())
	}
	root, err := d.Structure()
	if err != nil {
		t.Fatal(err)
	}
	if got := shape(root); got != "multipart/mixed(multipart/related(multipart/alternative(text/plain text/html)) text/csv message/rfc822)" {
		t.Error(got)
	}
	for _, s := range []string{"preamble\r\n--M\r\n", "--M--\r\nepilogue\r\n", "Ciao Anna", "YTtiCg=="} {
		if !bytes.Contains(f.mime, []byte(s)) {
			t.Errorf("the draft lacks %q", s)
		}
	}
	if len(r.Lost) < 4 || !strings.Contains(strings.Join(r.Lost, "\n"), "Quantità.pdf") {
		t.Errorf("lost: %q", r.Lost)
	}
}

// TestLargeDecoded: the octets of the file arrive, whatever the encoding.
func TestLargeDecoded(t *testing.T) {
	t.Parallel()
	uu, plain := "begin 644 a.txt\n", strings.Repeat("Cat", 11_000)
	for range 11_000 / 15 {
		uu += "M" + strings.Repeat("0V%T", 15) + "\n"
	}
	uu += strings.Repeat("#0V%T\n", 11_000%15) + "`\nend"
	qp := strings.Repeat("=43at=\n", 11_000)
	for encoding, body := range map[string]string{"x-uuencode": uu, "quoted-printable": qp} {
		f, a := newSmallFake(t)
		out := outgoing(message(t, largeHead+"Content-Type: multipart/mixed; boundary=M\n\n--M\nContent-Type: text/plain\n\nCiao\n--M\n"+
			"Content-Type: application/octet-stream; name=a.txt\nContent-Transfer-Encoding: "+encoding+"\n\n"+body+"\n--M--\n"), "anna@example.com")
		if _, err := a.Send(t.Context(), out); err != nil {
			t.Fatal(encoding, err)
		}
		f.mu.Lock()
		if got := f.files["a.txt application/octet-stream false <nil>"]; got != plain {
			t.Errorf("%s: %d octets arrived, want %d", encoding, len(got), len(plain))
		}
		f.mu.Unlock()
	}
}

// oneFile is a message with one attachment of n octets.
func oneFile(t testing.TB, n int) adapters.Outgoing {
	return outgoing(message(t, largeHead+"Content-Type: multipart/mixed; boundary=M\n\n--M\nContent-Type: text/plain\n\nCiao\n--M\n"+
		filePart("Content-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf", blob(n, 7))+"--M--\n"), "anna@example.com",
		"hidden@example.com")
}

// TestOrphans: whatever fails before /send leaves no draft and is no unknown outcome.
func TestOrphans(t *testing.T) {
	t.Parallel()
	out := oneFile(t, 32_000)
	for _, c := range []struct {
		op, name string
		status   int
		code     string
		class    adapters.Class
		tooLarge bool
	}{
		{"create", "no permission", 403, "ErrorAccessDenied", adapters.Permanent, true},
		{"create", "full mailbox", 400, "ErrorQuotaExceeded", adapters.Transient, false},
		{"create", "server error after creation", 500, "", adapters.Transient, false},
		{"create", "answer lost after creation", 0, "", adapters.Transient, false},
		{"create", "HTML", 201, "", adapters.Transient, false},
		{"session", "long throttling", 429, "ApplicationThrottled", adapters.Throttled, false},
		{"session", "server error", 500, "ErrorInternalServerError", adapters.Transient, false},
		{"chunk", "session expired", 404, "ErrorItemNotFound", adapters.Transient, false},
		{"chunk", "always 503", 503, "ServiceUnavailable", adapters.Transient, false},
		{"chunk", "always 400", 400, "ErrorInvalidParameter", adapters.Transient, false},
		{"chunk", "message too large", 400, "ErrorMessageSizeExceeded", adapters.Permanent, true},
		{"chunk", "never an answer", 0, "", adapters.Transient, false},
		{"send", "send-as refused", 403, "ErrorSendAsDenied", adapters.Permanent, false},
		{"send", "throttled", 429, "ApplicationThrottled", adapters.Throttled, false},
	} {
		t.Run(c.op+": "+c.name, func(t *testing.T) {
			t.Parallel()
			f, a := newSmallFake(t)
			f.hook = func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op != c.op {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				if c.code == "" && op == "create" {
					f.draft = true
				}
				switch {
				case c.status == 0:
					panic(http.ErrAbortHandler)
				case c.code == "":
					w.WriteHeader(c.status)
					fmt.Fprint(w, "<html>")
				default:
					w.Header().Set("Retry-After", "3600")
					f.fail(w, c.status, c.code)
				}
				return true
			}
			_, err := a.Send(t.Context(), out)
			if e := wantClass(t, err, c.class); e.TooLarge != c.tooLarge || e.ProviderID != "" {
				t.Errorf("%+v", e)
			}
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				if strings.Contains(cause.Error(), "UPLOADSECRET") {
					t.Errorf("the upload URL shows: %v", cause)
				}
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.draft || f.sent != 0 {
				t.Errorf("a draft is left, or it was sent: %v", f.ops)
			}
			if c.op == "chunk" && !slices.Contains(f.ops, "cancel") {
				t.Error("the session was not cancelled")
			}
		})
	}
}

// TestSendUnknown: once /send may have worked, the draft is evidence and stays.
func TestSendUnknown(t *testing.T) {
	t.Parallel()
	out := oneFile(t, 23_000)
	for _, status := range []int{0, 500, 503, 504, 404} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			f, a := newSmallFake(t)
			f.hook = func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op != "send" {
					return false
				}
				if r.Header.Get("Content-Length") != "0" { // contracts B3 step 5
					t.Errorf("Content-Length %q", r.Header.Get("Content-Length"))
				}
				f.sent++
				if status == 0 {
					panic(http.ErrAbortHandler)
				}
				f.fail(w, status, "ErrorItemNotFound")
				return true
			}
			_, err := a.Send(t.Context(), out)
			if e := wantClass(t, err, adapters.Unknown); e.ProviderID != "draft-1" {
				t.Errorf("%+v", e)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if !f.draft || f.sent != 1 {
				t.Errorf("draft %v, sent %d", f.draft, f.sent)
			}
		})
	}
}

func TestCancelledUpload(t *testing.T) {
	t.Parallel()
	f, a := newSmallFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.hook = func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		if op == "chunk" && n == 2 {
			cancel()
		}
		return false
	}
	_, err := a.Send(ctx, oneFile(t, 40_000))
	_ = wantClass(t, err, adapters.Transient)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draft || f.sent != 0 || !slices.Contains(f.ops, "cancel") {
		t.Errorf("left behind: %v", f.ops)
	}
}

// TestDraftRecipients: the draft mails the envelope, or nothing is sent.
func TestDraftRecipients(t *testing.T) {
	t.Parallel()
	create := func(f *largeFake, change func(map[string]any)) func(string, int, http.ResponseWriter, *http.Request) bool {
		return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
			if op != "create" {
				return false
			}
			body, _ := io.ReadAll(r.Body)
			f.mime, _ = base64.StdEncoding.DecodeString(string(body))
			f.draft = true
			doc := f.resource()
			change(doc)
			f.json(w, 201, doc)
			return true
		}
	}
	var stranger recipient
	stranger.EmailAddress.Address = "stranger@example.com"
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		bcc    []string
		class  adapters.Class
	}{
		{"Bcc lost", func(d map[string]any) { d["bccRecipients"] = []recipient{} }, []string{"hidden@example.com"}, adapters.Accepted},
		{"Bcc resolved to another address", func(d map[string]any) { d["bccRecipients"] = []recipient{stranger} }, nil, adapters.Accepted},
		{"somebody more", func(d map[string]any) {
			d["ccRecipients"] = []recipient{stranger}
		}, nil, adapters.Permanent},
		{"not shown", func(d map[string]any) {
			delete(d, "toRecipients")
			delete(d, "ccRecipients")
			delete(d, "bccRecipients")
		}, nil, adapters.Accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, a := newSmallFake(t)
			f.hook = create(f, c.change)
			_, err := a.Send(t.Context(), oneFile(t, 23_000))
			f.mu.Lock()
			defer f.mu.Unlock()
			if adapters.ClassOf(err) != c.class || !slices.Equal(f.bcc, c.bcc) || f.draft != (c.class == adapters.Accepted) {
				t.Errorf("%v, Bcc added %v, %v", err, f.bcc, f.ops)
			}
		})
	}
}
