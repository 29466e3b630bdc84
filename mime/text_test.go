package mime

import (
	"encoding/json"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	hint := NewText("google.hint_scope", "{hint}; the scope is {scope}", "hint", NewText("none.such", "ask {who}", "who", "Ada"), "scope",
		"mail")
	for _, c := range []struct {
		text   Text
		en, it string
	}{
		{Text{}, "", ""},
		{hint, "ask Ada; the scope is mail", "ask Ada; lo scope è mail"},
		{NewText("none.such", "{a} {b}", "a", "{b}").With("b", 2), "{b} 2", "{b} 2"},
		{NewCount("none.such", 1, "one file", "{count} files"), "one file", "one file"},
		{NewCount("none.such", 3, "one file", "{count} files"), "3 files", "3 files"},
		{Text{Code: "google.hint_scope", Args: []any{"hint", "x", "scope", "y"}}, "x; the scope is y", "x; lo scope è y"},
	} {
		if en, it := c.text.String(), c.text.In("it-IT"); en != c.en || it != c.it || c.text.In("fr") != c.en || c.text.IsZero() != (c.en == "") {
			t.Errorf("%+v: %q, %q", c.text, en, it)
		}
		b, err := json.Marshal(c.text)
		var read Text
		if err != nil || json.Unmarshal(b, &read) != nil || read.Code != c.text.Code || read.String() != c.en || read.In("it") != c.it {
			t.Errorf("%s reads as %+v: %v", b, read, err)
		}
		again, err := json.Marshal(read)
		if err != nil || string(again) != string(b) {
			t.Errorf("%s is written as %s: %v", b, again, err)
		}
	}
	var old Text
	if err := json.Unmarshal([]byte(`{"en":"a {b}","it":"c"}`), &old); err != nil || old.String() != "a {b}" || old.In("it") != "c" ||
		old.In("de") != "a {b}" {
		t.Errorf("%+v: %v", old, err)
	}
	if json.Unmarshal([]byte(`{"en":1}`), &old) == nil {
		t.Error("a number was read as a text")
	}
}

func BenchmarkTextString(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if NewText("smtp.refused", "{host} refused the connection on port {port}", "host", "mail.example", "port", 587).String() == "" {
			b.Fatal("empty")
		}
	}
}
