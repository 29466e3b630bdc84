package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

func TestMultipartFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"from", "ERP <erp@contoso.it>"},
		{"to", "=?windows-1252?Q?=C0ngela?= <angela@example.com>, b@example.com <b@example.com>"}, {"to", "\u200bc@example.com"}, {"cc", ""},
		{"subject", "Modulo"}, {"html", `<p>Ciao <img src="cid:logo%20aziendale.png"></p>`}, {"tag", "m"}} {
		w.must(mw.WriteField(f[0], f[1]))
	}
	part, err := mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="inline"; filename="logo aziendale.png"`},
		"Content-Type": {"image/png"}})
	w.must(err)
	_, err = part.Write([]byte("PNG"))
	w.must(err)
	file, err := mw.CreateFormFile("file", "perché.bin")
	w.must(err)
	_, err = file.Write([]byte{0, 1, 2})
	w.must(err)
	// What a browser sends for a file control without file, and a file without a name.
	for name, content := range map[string]string{"attachment": "", "empty2": "", "unnamed": "x"} {
		part, err = mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"; filename=""`},
			"Content-Type": {"application/octet-stream"}})
		w.must(err)
		_, err = part.Write([]byte(content))
		w.must(err)
	}
	part, err = mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="C:\temp\invite.ics"`},
		"Content-Type": {"text/calendar; method=REQUEST"}})
	w.must(err)
	_, err = part.Write([]byte("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"))
	w.must(err)
	w.must(mw.Close())
	var got Accepted
	w.want(w.do(w.key, "POST", "/v1/messages", &b, "Content-Type", mw.FormDataContentType()), 202).into(t, &got)
	if len(got.Recipients) != 3 {
		t.Errorf("%+v", got)
	}
	id, err := store.ParseID(got.ID)
	w.must(err)
	content, err := w.store.Content(context.Background(), id)
	w.must(err)
	defer content.Close()
	m, err := mime.Read(content, mime.Limits{})
	w.must(err)
	root, err := m.Structure()
	w.must(err)
	var leaves []string
	var walk func(p *mime.Part)
	walk = func(p *mime.Part) {
		if len(p.Parts) == 0 {
			leaves = append(leaves, fmt.Sprint(p.MediaType, p.Disposition, p.Filename, p.ContentID))
		}
		for _, c := range p.Parts {
			walk(c)
		}
	}
	walk(root)
	want := "[text/plain text/html text/calendar image/pnginlinelogo aziendale.pnglogo-aziendale.png " +
		"application/octet-streamattachmentperché.bin application/octet-streamattachment application/icsattachmentinvite.ics]"
	if fmt.Sprint(leaves) != want || m.To()[0].Name != "Àngela" {
		t.Errorf("%v, want %s; %v", leaves, want, m.To())
	}
}

// patterned gives n bytes that do not compress into nothing, without holding them.
type patterned struct{ n, at int64 }

func (p *patterned) Read(b []byte) (int, error) {
	if p.at >= p.n {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.n-p.at)]
	for i := range b {
		b[i] = byte((p.at + int64(i)) * 31 >> 3)
	}
	p.at += int64(len(b))
	return len(b), nil
}

// A large file comes by a form and its bytes are in the stored message,
// while memory stays what it is for a small one.
func TestLargeUploadConstantMemory(t *testing.T) {
	const size = largeUpload
	w := newWorld(t, nil)
	pr, pw := io.Pipe()
	mw := multipart.NewWriter(pw)
	go func() {
		err := mw.WriteField("message", `{"from":"erp@contoso.it","to":["a@example.com"],"text":"grande"}`)
		if err == nil {
			var f io.Writer
			if f, err = mw.CreateFormFile("attachments", "grande.bin"); err == nil {
				_, err = io.Copy(f, &patterned{n: size})
			}
		}
		if err == nil {
			err = mw.Close()
		}
		pw.CloseWithError(err)
	}()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-t.C:
				var ms runtime.MemStats
				runtime.ReadMemStats(&ms)
				most = max(most, ms.HeapAlloc)
			}
		}
	}()
	a := w.do(w.key, "POST", "/v1/messages", pr, "Content-Type", mw.FormDataContentType())
	close(stop)
	most := <-peak
	w.want(a, 202)
	if most > 32<<20 {
		t.Errorf("the heap grew to %d MB", most>>20)
	}
	t.Logf("heap at most %d KB", most>>10)
	var got Accepted
	a.into(t, &got)
	id, err := store.ParseID(got.ID)
	w.must(err)
	content, err := w.store.Content(context.Background(), id)
	w.must(err)
	defer content.Close()
	m, err := mime.Read(content, mime.Limits{})
	w.must(err)
	root, err := m.Structure()
	w.must(err)
	sum, want := sha256.New(), sha256.New()
	_, err = io.Copy(sum, m.Open(root.Parts[1]))
	w.must(err)
	_, err = io.Copy(want, &patterned{n: size})
	w.must(err)
	if !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		t.Error("the stored file differs")
	}
	w.noSpool()
	if _, err := os.Stat(w.store.SpoolDir()); err != nil {
		t.Error(err)
	}
}

func TestTooLargeUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(o *submit.Options) { o.MaxSize = 4 << 20 })
	var head bytes.Buffer
	mw := multipart.NewWriter(&head)
	w.must(mw.WriteField("message", `{"from":"erp@contoso.it","to":["a@example.com"],"text":"x"}`))
	_, err := mw.CreateFormFile("attachments", "x.bin")
	w.must(err)
	r, err := http.NewRequest("POST", w.http.URL+"/v1/messages", io.MultiReader(&head, &patterned{n: 6 << 20}))
	w.must(err)
	r.Header.Set("Content-Type", mw.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+w.key)
	res, err := w.http.Client().Do(r)
	if err != nil {
		t.Skipf("the connection ended before the answer was read: %v", err) // HTTP/1.1 allows no better
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(res.Status)
	}
	if w.messages() != 0 {
		t.Error("it was stored")
	}
}
