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
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

func many(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(s, i)
	}
	return out
}

// Nothing of what is refused is stored, and each problem names its field.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.MaxJSON = 1 << 20 })
	with := func(change func(map[string]any)) map[string]any {
		m := note("x")
		change(m)
		return m
	}
	headers := map[string]string{}
	for i := range 300 {
		headers[fmt.Sprintf("X-Field-%d", i)] = "x"
	}
	for name, c := range map[string]struct {
		body    any
		headers []string
		status  int
		field   string
		code    string
	}{
		"no JSON":             {`{"from": `, nil, 400, "", "bad_json"},
		"not UTF-8":           {"{\"from\": \"caff\xe8@x.it\"}", nil, 400, "", "bad_json"},
		"an array":            {`[]`, nil, 422, "", "invalid_request"},
		"nothing":             {``, nil, 400, "", "bad_json"},
		"unknown field":       {with(func(m map[string]any) { m["form"] = "x" }), nil, 422, "form", "invalid_request"},
		"wrong type":          {with(func(m map[string]any) { m["to"] = "anna@example.com" }), nil, 422, "to", "invalid_request"},
		"wrong type inside":   {with(func(m map[string]any) { m["to"] = []any{"a@example.com", 5} }), nil, 422, "to[1]", "invalid_request"},
		"no from":             {with(func(m map[string]any) { delete(m, "from") }), nil, 422, "from", "no_from"},
		"bad from":            {with(func(m map[string]any) { m["from"] = "erp" }), nil, 422, "from", "bad_address"},
		"bad to":              {with(func(m map[string]any) { m["to"] = []string{"a@example.com", "b@@example.com"} }), nil, 422, "to[1]", "bad_address"},
		"no recipients":       {with(func(m map[string]any) { delete(m, "to") }), nil, 422, "to", "no_recipients"},
		"too many recipients": {with(func(m map[string]any) { m["to"] = many(10_001, "a%d@example.com") }), nil, 422, "to", "invalid_request"},
		"together too many": {with(func(m map[string]any) {
			m["to"], m["bcc"] = many(6000, "a%d@example.com"), many(6000, "b%d@example.com")
		}), nil, 422, "to", "too_many_recipients"},
		"too many headers":      {with(func(m map[string]any) { m["headers"] = headers }), nil, 422, "headers", "invalid_request"},
		"injection by subject":  {with(func(m map[string]any) { m["subject"] = "x\r\nBcc: evil@example.com" }), nil, 422, "subject", "header_injection"},
		"injection by header":   {with(func(m map[string]any) { m["headers"] = map[string]string{"X-A": "x\nBcc: e@example.com"} }), nil, 422, "headers.X-A", "header_injection"},
		"injection by name":     {with(func(m map[string]any) { m["headers"] = map[string]string{"X-A: b\r\nX-C": "x"} }), nil, 422, "headers", "bad_header_name"},
		"reserved header":       {with(func(m map[string]any) { m["headers"] = map[string]string{"Bcc": "e@example.com"} }), nil, 422, "headers.Bcc", "reserved_header"},
		"injection by address":  {with(func(m map[string]any) { m["to"] = []string{"a@example.com\r\nRCPT TO:<e@example.com>"} }), nil, 422, "to[0]", "bad_address"},
		"injection by envelope": {with(func(m map[string]any) { m["recipients"] = []string{"a@example.com>\r\nDATA"} }), nil, 422, "recipients[0]", "bad_address"},
		"NUL in text":           {with(func(m map[string]any) { m["text"] = "a\x00b" }), nil, 422, "text", "nul"},
		"wrong base64": {with(func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"filename": "a", "content": "Zm9v"}, map[string]any{"filename": "b", "content": "Zm9v!"}}
		}), nil, 422, "attachments[1].content", "bad_base64"},
		"cut base64": {with(func(m map[string]any) { m["attachments"] = []any{map[string]any{"filename": "a", "content": "Zm9vY"}} }), nil, 422, "attachments[0].content", "bad_base64"},
		"no content": {with(func(m map[string]any) { m["attachments"] = []any{map[string]any{"filename": "a"}} }), nil, 422, "attachments[0]", "invalid_request"},
		"attachment's type": {with(func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"filename": "a", "content": "", "content_type": "x\r\ny"}}
		}), nil, 422, "attachments", "header_injection"},
		"wrong raw":             {map[string]any{"raw": "%%%"}, nil, 422, "raw", "bad_base64"},
		"raw and fields":        {map[string]any{"raw": "Zm9v", "subject": "x"}, nil, 422, "raw", "invalid_request"},
		"raw without header":    {map[string]any{"raw": "Zm9v"}, nil, 422, "", ""},
		"class":                 {with(func(m map[string]any) { m["class"] = "spam" }), nil, 422, "class", "invalid_request"},
		"send_at":               {with(func(m map[string]any) { m["send_at"] = "tomorrow" }), nil, 422, "send_at", "invalid_request"},
		"send_at far":           {with(func(m map[string]any) { m["send_at"] = time.Now().AddDate(3, 0, 0).Format(time.RFC3339) }), nil, 422, "send_at", "invalid_request"},
		"unknown connection":    {with(func(m map[string]any) { m["connection"] = "Due" }), nil, 422, "connection", "unknown_connection"},
		"no route":              {with(func(m map[string]any) { m["from"] = "a@fabrikam.example" }), nil, 422, "from", "no_route"},
		"tag":                   {with(func(m map[string]any) { m["tag"] = "a\nb" }), nil, 422, "tag", "invalid_request"},
		"too large":             {with(func(m map[string]any) { m["text"] = strings.Repeat("x", 1<<20) }), nil, 413, "", "json_too_large"},
		"idempotency key":       {note("x"), []string{"Idempotency-Key", "a b"}, 400, "Idempotency-Key", "invalid_request"},
		"media type":            {strings.NewReader("x"), []string{"Content-Type", "text/plain"}, 415, "Content-Type", "unsupported_media_type"},
		"no media type":         {strings.NewReader("{}"), nil, 415, "Content-Type", "unsupported_media_type"},
		"form without boundary": {strings.NewReader("x"), []string{"Content-Type", "multipart/form-data"}, 400, "Content-Type", "invalid_request"},
		"form that is none":     {strings.NewReader("x"), []string{"Content-Type", "multipart/form-data; boundary=b"}, 400, "", "invalid_request"},
		"form cut short":        {strings.NewReader("--b\r\nContent-Disposition: form-data; name=from\r\n\r\nerp@contoso.it\r\n--b\r\nContent-Disposition: form-data; name=to\r\n\r\na@example.com\r\n--b\r\n"), []string{"Content-Type", "multipart/form-data; boundary=b"}, 400, "", "invalid_request"},
		"unknown form field":    {strings.NewReader("--b\r\nContent-Disposition: form-data; name=form\r\n\r\nx\r\n--b--\r\n"), []string{"Content-Type", "multipart/form-data; boundary=b"}, 422, "form", "invalid_request"},
		"whole without From":    {strings.NewReader("To: a@example.com\r\n\r\nx"), []string{"Content-Type", "message/rfc822"}, 422, "from", "no_from"},
		"whole, bad rcpt":       {strings.NewReader("From: erp@contoso.it\r\n\r\nx"), []string{"Content-Type", "message/rfc822", "X-Postino-Rcpt", "a@example.com, b"}, 422, "recipients[1]", "bad_address"},
	} {
		for _, path := range []string{"/v1/messages", "/v1/messages/batch"} {
			body, field := c.body, c.field
			if path != "/v1/messages" {
				m, ok := c.body.(map[string]any)
				if !ok {
					continue
				}
				body = map[string]any{"messages": []any{note("good"), m}}
				if field != "" && field != "Idempotency-Key" || c.status == 422 {
					field = strings.TrimSuffix("messages[1]."+field, ".")
				}
			}
			a := w.do(w.key, "POST", path, body, c.headers...)
			var p Problem
			a.into(t, &p)
			if a.status != c.status || p.Field != field || c.code != "" && p.Code != c.code || p.Detail == "" || !strings.HasPrefix(p.Type, "/problems/") ||
				a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s on %s: %d %s, want %d %q %q", name, path, a.status, a.body, c.status, c.code, field)
			}
			if got := w.do("", "GET", p.Type, nil); got.status != 200 {
				t.Errorf("%s: the type %s explains nothing: %d", name, p.Type, got.status)
			}
		}
	}
	if n := w.messages(); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
	w.noSpool()
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for accept, want := range map[string]string{"": "no connection sends", "it": "nessuna connessione", "de, it;q=0.5, en;q=0.1": "nessuna connessione", "it;q=0.1, en-GB": "no connection sends", "fr": "no connection sends"} {
		m := note("x")
		m["from"] = "a@fabrikam.example"
		if a := w.do(w.key, "POST", "/v1/messages", m, "Accept-Language", accept); !strings.Contains(string(a.body), want) {
			t.Errorf("%q: %s", accept, a.body)
		}
	}
	a := w.do(w.key, "GET", "/v1/messages?limit=0&state=x", nil, "Accept-Language", "it")
	if a.status != 422 || !strings.Contains(string(a.body), "almeno 1") || !strings.Contains(string(a.body), "deve essere uno di") {
		t.Errorf("%s", a.body)
	}
	for code, k := range kinds() {
		if k.title.IT == "" || k.about.IT == "" || k.title.EN == "" || k.about.EN == "" {
			t.Errorf("%s lacks a language", code)
		}
		page := w.do("", "GET", "/problems/"+code, nil, "Accept", "text/html", "Accept-Language", "it")
		if page.status != 200 || page.header.Get("Content-Language") != "it" || !strings.Contains(string(page.body), `lang="it"`) {
			t.Errorf("%s: %d %s", code, page.status, page.body)
		}
	}
	w.want(w.do("", "GET", "/problems/nope", nil), 404)
	w.want(w.do("", "GET", "/problems", nil), 200)
}

func TestWholeMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const raw = "From: erp@contoso.it\nTo: anna@example.com\nSubject: intero\n\nriga\n"
	send := func(path string, headers ...string) Accepted {
		var got Accepted
		w.want(w.do(w.key, "POST", path, strings.NewReader(raw), append(headers, "Content-Type", "message/rfc822")...), 202).into(t, &got)
		return got
	}
	if got := send("/v1/messages"); fmt.Sprint(got.Recipients) != "[anna@example.com]" {
		t.Errorf("%+v", got)
	}
	got := send("/v1/messages?rcpt=b@example.com&rcpt=c@example.com&mail_from=bounce@contoso.it&tag=t", "X-Postino-Rcpt", "d@example.com")
	var m MessageDetail
	w.want(w.do(w.key, "GET", "/v1/messages/"+got.ID, nil), 200).into(t, &m)
	if len(m.Recipients) != 3 || m.EnvelopeFrom != "bounce@contoso.it" || m.Tag != "t" {
		t.Errorf("%+v", m)
	}
	if a := w.do(w.key, "GET", "/v1/messages/"+got.ID+"/raw", nil); !strings.HasSuffix(string(a.body), "\r\n\r\nriga\r\n") || a.header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("%q", a.body)
	}
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if got := send("/v1/messages?send_at=" + at.Format(time.RFC3339)); got.SendAt == nil || !got.SendAt.Equal(at) {
		t.Errorf("%+v", got)
	}
}

func TestBatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	list := make([]any, 100)
	for i := range list {
		list[i] = note(fmt.Sprint("n", i))
	}
	var got BatchAccepted
	a := w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": list}, "Idempotency-Key", "b1"), 202)
	a.into(t, &got)
	if len(got.Messages) != 100 || w.messages() != 100 {
		t.Fatalf("%d", len(got.Messages))
	}
	if again := w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": list}, "Idempotency-Key", "b1"); !bytes.Equal(again.body, a.body) || w.messages() != 100 {
		t.Errorf("the repeat of a batch got another answer")
	}
	w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": make([]any, 1001)}), 422)
	w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": []any{}}), 422)
	seen, after := map[string]bool{}, ""
	for {
		var page MessagePage
		w.want(w.do(w.key, "GET", "/v1/messages?limit=7&order=oldest&after="+after, nil), 200).into(t, &page)
		for _, x := range page.Items {
			seen[x.Message.ID] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != 100 {
		t.Errorf("paging gave %d of 100", len(seen))
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	type reply struct {
		status int
		body   string
	}
	got := make([]reply, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			a := w.do(w.key, "POST", "/v1/messages", note("una volta"), "Idempotency-Key", "k-1")
			got[i] = reply{a.status, string(a.body)}
		})
	}
	all.Wait()
	for _, g := range got {
		if g.status != 202 || g != got[0] {
			t.Errorf("%+v differs from %+v", g, got[0])
		}
	}
	if n := w.messages(); n != 1 {
		t.Errorf("%d messages", n)
	}
	var p Problem
	w.want(w.do(w.key, "POST", "/v1/messages", note("altro"), "Idempotency-Key", "k-1"), 422).into(t, &p)
	if p.Code != "idempotency_key" {
		t.Errorf("%+v", p)
	}
	w.want(w.do(w.addKey(w.other(), clientScopes()...), "POST", "/v1/messages", note("altro"), "Idempotency-Key", "k-1"), 202) // another client's keys are its own
	// A form has another boundary at each try and is the same request.
	form := func(content string) answer {
		var b bytes.Buffer
		mw := multipart.NewWriter(&b)
		w.must(mw.WriteField("message", `{"from":"erp@contoso.it","to":["a@example.com"],"text":"x"}`))
		f, err := mw.CreateFormFile("attachments", "a.txt")
		w.must(err)
		_, err = io.WriteString(f, content)
		w.must(err)
		w.must(mw.Close())
		return w.do(w.key, "POST", "/v1/messages", &b, "Content-Type", mw.FormDataContentType(), "Idempotency-Key", "k-2")
	}
	first := w.want(form("uno"), 202)
	if again := w.want(form("uno"), 202); !bytes.Equal(again.body, first.body) {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	w.want(form("due"), 422)
	raw := func(rcpt string) answer {
		return w.do(w.key, "POST", "/v1/messages?rcpt="+rcpt, strings.NewReader("From: erp@contoso.it\r\n\r\nx\r\n"), "Content-Type", "message/rfc822", "Idempotency-Key", "k-3")
	}
	w.want(raw("a@example.com"), 202)
	w.want(raw("a@example.com"), 202)
	w.want(raw("b@example.com"), 422)
	w.noSpool()
}

// noSpool checks that nothing was left in the incoming spool.
func (w *world) noSpool() {
	w.t.Helper()
	left, err := filepath.Glob(filepath.Join(w.store.SpoolDir(), "incoming-*"))
	w.must(err)
	if len(left) > 0 {
		w.t.Errorf("left in the spool: %v", left)
	}
}

func TestMultipartFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"from", "ERP <erp@contoso.it>"}, {"to", "Àngela <angela@example.com>, b@example.com"}, {"to", "c@example.com"}, {"subject", "Modulo"}, {"html", `<p>Ciao <img src="cid:logo.png"></p>`}, {"tag", "m"}} {
		w.must(mw.WriteField(f[0], f[1]))
	}
	part, err := mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="inline"; filename="logo.png"`}, "Content-Type": {"image/png"}})
	w.must(err)
	_, err = part.Write([]byte("PNG"))
	w.must(err)
	file, err := mw.CreateFormFile("file", "perché.bin")
	w.must(err)
	_, err = file.Write([]byte{0, 1, 2})
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
	want := "[text/plain text/html image/pnginlinelogo.pnglogo.png application/octet-streamattachmentperché.bin]"
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
