package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// TestByteOrderMark: a mark before JSON is overlooked, as PowerShell writes one; anywhere
// else it is what it was.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	doc, err := json.Marshal(note("con BOM"))
	w.must(err)
	var got struct{ ID string }
	sent := w.do(w.admin, "POST", "/v1/messages", utf8Mark+string(doc))
	w.want(sent, http.StatusAccepted)
	sent.into(t, &got)
	w.want(w.do(w.admin, "GET", "/v1/messages/"+got.ID, nil), http.StatusOK)
	w.want(w.do(w.admin, "POST", "/v1/clients", utf8Mark+`{"name": "shop-con-BOM"}`), http.StatusCreated)
	for name, body := range map[string]string{"alone": utf8Mark, "twice": utf8Mark + utf8Mark + string(doc), "behind": string(doc) + utf8Mark,
		"half": utf8Mark[:2], "UTF-16": "\xff\xfe{\x00}\x00"} {
		if got := w.do(w.admin, "POST", "/v1/messages", body); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for body, want := range map[string]string{"": "", "a": "a", "ab": "ab", "abc": "abc", "abcdef": "abcdef", utf8Mark: "",
		utf8Mark + "x": "x", utf8Mark[:2]: utf8Mark[:2], "{}" + utf8Mark: "{}" + utf8Mark} {
		for _, from := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body)),
			iotest.DataErrReader(strings.NewReader(body))} {
			got, err := io.ReadAll(iotest.OneByteReader(&unmarkedBody{ReadCloser: io.NopCloser(from)}))
			if string(got) != want || err != nil {
				t.Errorf("%q becomes %q, %v", body, got, err)
			}
		}
	}
	broken := errors.New("broken")
	for _, n := range []string{"", "ab", "abcd"} {
		got, err := io.ReadAll(&unmarkedBody{ReadCloser: io.NopCloser(io.MultiReader(strings.NewReader(n), iotest.ErrReader(broken)))})
		if string(got) != n || !errors.Is(err, broken) {
			t.Errorf("%q, then a fault: %q, %v", n, got, err)
		}
	}
}
