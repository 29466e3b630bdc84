package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
)

// A largeFake is the draft side of Graph in memory, with a hook before each
// step. The upload host is the same server under /upload.
type largeFake struct {
	url string

	mu       sync.Mutex
	ops      []string          // in order
	mime     []byte            // of the draft
	bcc      []string          // by PATCH
	files    map[string]string // name to sha-free content
	sessions map[string]*fakeSession
	draft    bool // exists
	sent     int
	auth     []string // Authorization headers seen by the upload host
	min      int      // of a session
	noPeople bool     // the draft's JSON lists no recipients
	hook     func(op string, n int, w http.ResponseWriter, r *http.Request) bool
}

type fakeSession struct {
	name string
	size int
	data []byte
}

func newLargeFake(t testing.TB) (*largeFake, *Adapter, *fakeTokens) {
	f := &largeFake{min: 3 << 20, files: map[string]string{}, sessions: map[string]*fakeSession{}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	a, tokens := adapterOn(t, srv.URL, srv.Client())
	return f, a, tokens
}

// newSmallFake is newLargeFake with everything a hundredth as large.
func newSmallFake(t testing.TB) (*largeFake, *Adapter) {
	f, a, _ := newLargeFake(t)
	f.min, a.ceiling, a.session, a.chunk = 30_000, 30_000, 30_000, 11_000
	return f, a
}

func (f *largeFake) count(op string) (n int) {
	for _, o := range f.ops {
		if o == op {
			n++
		}
	}
	return n
}

func (f *largeFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	op := f.op(r)
	f.ops = append(f.ops, op)
	if f.hook != nil && f.hook(op, f.count(op), w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.ContentLength != int64(len(body)) {
		f.fail(w, 400, "RequestBodyRead")
		return
	}
	if op != "chunk" && op != "status" && op != "cancel" && r.Header.Get("Prefer") != immutable {
		f.fail(w, 400, "BadRequest")
		return
	}
	switch op {
	case "create":
		f.mime, err = base64.StdEncoding.DecodeString(string(body))
		if err != nil || len(body) > 4_000_000 {
			f.fail(w, 400, "ErrorMimeContentInvalidBase64String")
			return
		}
		f.draft = true
		f.json(w, 201, f.resource())
	case "read", "get":
		f.noPeople = false
		f.json(w, 200, f.resource())
	case "patch":
		var p struct {
			Bcc []recipient `json:"bccRecipients"`
		}
		_ = json.Unmarshal(body, &p)
		for _, b := range p.Bcc {
			f.bcc = append(f.bcc, b.EmailAddress.Address)
		}
		f.json(w, 200, map[string]any{"id": "draft-1"})
	case "attach":
		var p map[string]any
		if json.Unmarshal(body, &p) != nil || p["@odata.type"] != "#microsoft.graph.fileAttachment" {
			f.fail(w, 400, "ErrorInvalidParameter")
			return
		}
		data, err := base64.StdEncoding.DecodeString(p["contentBytes"].(string))
		if err != nil {
			f.fail(w, 400, "ErrorInvalidParameter")
			return
		}
		f.files[fmt.Sprint(p["name"], " ", p["contentType"], " ", p["isInline"], " ", p["contentId"])] = string(data)
		w.WriteHeader(201)
	case "session":
		var p struct{ AttachmentItem map[string]any }
		_ = json.Unmarshal(body, &p)
		size := int(p.AttachmentItem["size"].(float64))
		if size < f.min {
			f.fail(w, 400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize")
			return
		}
		id := fmt.Sprint(len(f.sessions))
		i := p.AttachmentItem
		f.sessions[id] = &fakeSession{name: fmt.Sprint(i["name"], " ", i["contentType"], " ", i["isInline"], " ", i["contentId"]), size: size}
		f.json(w, 201, map[string]any{"uploadUrl": f.url + "/upload/" + id + "?authtoken=UPLOADSECRET",
			"expirationDateTime": "2026-11-23T00:00:00Z", "nextExpectedRanges": []string{"0-"}})
	case "chunk":
		f.chunk(w, r, body)
	case "status":
		s := f.sessions[strings.TrimPrefix(r.URL.Path, "/upload/")]
		f.json(w, 200, map[string]any{"nextExpectedRanges": []string{fmt.Sprint(len(s.data))}})
	case "cancel":
		w.WriteHeader(204)
	case "delete":
		f.draft = false
		w.WriteHeader(204)
	case "send":
		f.sent++
		w.WriteHeader(202)
	case "list":
		value := []any{}
		if f.draft {
			value = append(value, f.resource())
		}
		f.json(w, 200, map[string]any{"value": value})
	default:
		f.fail(w, 400, "BadRequest")
	}
}

func (f *largeFake) op(r *http.Request) string {
	p := strings.TrimPrefix(r.URL.Path, "/v1.0/users/"+erp+"/messages")
	switch k := r.Method + " " + p; {
	case strings.HasPrefix(r.URL.Path, "/upload/"):
		return map[string]string{"PUT": "chunk", "GET": "status", "DELETE": "cancel"}[r.Method]
	case k == "POST ":
		return "create"
	case k == "GET ":
		return "list"
	case k == "GET /draft-1":
		return "get"
	case k == "PATCH /draft-1":
		return "patch"
	case k == "DELETE /draft-1":
		return "delete"
	case k == "POST /draft-1/attachments":
		return "attach"
	case k == "POST /draft-1/attachments/createUploadSession":
		return "session"
	case k == "POST /draft-1/send":
		return "send"
	default:
		return k
	}
}

func (f *largeFake) chunk(w http.ResponseWriter, r *http.Request, body []byte) {
	f.auth = append(f.auth, r.Header.Get("Authorization"))
	s := f.sessions[strings.TrimPrefix(r.URL.Path, "/upload/")]
	var start, end, total int
	if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &start, &end, &total); err != nil ||
		start != len(s.data) || end-start+1 != len(body) || total != s.size || len(body) > 4_000_000 {
		f.fail(w, 416, "ErrorInvalidParameter")
		return
	}
	s.data = append(s.data, body...)
	if len(s.data) == s.size {
		f.files[s.name] = string(s.data)
		w.WriteHeader(201)
		return
	}
	f.json(w, 200, map[string]any{"ExpirationDateTime": "2026-11-23T00:00:00Z", "nextExpectedRanges": []string{fmt.Sprint(len(s.data))}})
}

// resource is the draft as Graph shows it.
func (f *largeFake) resource() map[string]any {
	m, err := mail.ReadMessage(strings.NewReader(string(f.mime)))
	out := map[string]any{"id": "draft-1", "internetMessageId": "<changed@exchange>", "isDraft": true,
		"createdDateTime": "2026-11-22T10:00:00Z"}
	if err != nil || f.noPeople {
		return out
	}
	for field, name := range map[string]string{"To": "toRecipients", "Cc": "ccRecipients", "Bcc": "bccRecipients"} {
		list := []recipient{}
		people, _ := m.Header.AddressList(field)
		for _, p := range people {
			var r recipient
			r.EmailAddress.Address = p.Address
			list = append(list, r)
		}
		out[name] = list
	}
	return out
}

func (f *largeFake) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Date", "Sun, 22 Nov 2026 10:00:00 GMT")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *largeFake) fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":"fake"}}`, code)
}
