package store

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// What the first version wrote is read, and what is written it reads: nodes of
// two versions may share a database.
func TestProgressKeepsItsStoredKeys(t *testing.T) {
	t.Parallel()
	want := Progress{Failures: 2, UnknownSince: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), SenderNotified: true, NotifyFailed: true,
		Origin: "c1"}
	const stored = `{"failures":2,"unknown_since":"2026-11-01T00:00:00Z","told":true,"not_told":true,"origin":"c1"}`
	got, err := EncodeProgress(want)
	if err != nil || got != stored {
		t.Fatalf("encoded %s (%v), want %s", got, err, stored)
	}
	var d Delivery
	if !d.DecodeColumns([]byte(`[{"address":"a@example.org","state":"pending"}]`), []byte(stored)) || d.Progress != want {
		t.Fatalf("decoded %+v, want %+v", d.Progress, want)
	}
	if d = (Delivery{}); d.DecodeColumns([]byte(`[{"address":"a@example.org","state":"pending"}]`), []byte(`{`)) || d.Error == nil {
		t.Fatal("a corrupt column is not reported")
	}
}

// The error of every record that is stored is read by nodes of the version
// before, and what they write is read here.
func TestErrorsAreReadByTheVersionBefore(t *testing.T) {
	t.Parallel()
	type before struct {
		Code       string                  `json:"code"`
		RetryAfter time.Duration           `json:"retry_after_ns"`
		Sentence   struct{ EN, IT string } `json:"sentence"`
		Remedy     struct{ EN, IT string } `json:"remedy"`
	}
	e := &adapters.Error{Class: adapters.Throttled, Code: "corrupt_record", RetryAfter: time.Minute,
		Message: mime.NewText("store.corrupt_record", "the store's record of this message is corrupt; nothing of it is sent"),
		Hint:    mime.NewText("", "wait")}
	plain := Recipient{Recipient: mime.Recipient{Address: mailboxtest.Of("a@example.org")}, State: Pending}
	failed := Recipient{Recipient: mime.Recipient{Address: mailboxtest.Of("b@example.org")}, State: RecipientFailed, Error: e}
	recipients := func(rs ...Recipient) func() (string, error) {
		return func() (string, error) { return EncodeRecipients(rs) }
	}
	for name, c := range map[string]struct {
		encode func() (string, error)
		read   func(doc []byte) *adapters.Error
	}{
		"recipients": {recipients(plain, failed, plain), func(doc []byte) *adapters.Error {
			var d Delivery
			if !d.DecodeColumns(doc, nil) || len(d.Recipients) != 3 || !reflect.DeepEqual(d.Recipients[0], plain) ||
				!reflect.DeepEqual(d.Recipients[2], plain) {
				t.Errorf("%+v", d.Recipients)
			}
			return d.Recipients[1].Error
		}},
		"progress": {func() (string, error) { return EncodeProgress(Progress{Failures: 1, Error: e}) }, func(doc []byte) *adapters.Error {
			var d Delivery
			if !d.DecodeColumns([]byte(`[{"address":"a@example.org","state":"pending"}]`), doc) || d.Failures != 1 {
				t.Errorf("%+v", d.Progress)
			}
			return d.Error
		}},
		"outcome": {func() (string, error) { return EncodeOutcome(Outcome{Class: e.Class, Error: e}) }, func(doc []byte) *adapters.Error {
			var a Attempt
			a.DecodeOutcome(doc)
			return a.Error
		}},
		"state of a connection": {func() (string, error) {
			doc, err := EncodeState(ConnectionState{Connection: "c1", Error: e})
			return string(doc), err
		}, func(doc []byte) *adapters.Error { return DecodeState("c1", doc).Error }},
	} {
		doc, err := c.encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var old struct{ Error before }
		var list []struct{ Error before }
		if doc[0] == '[' {
			err = json.Unmarshal([]byte(doc), &list)
			old = list[1]
		} else {
			err = json.Unmarshal([]byte(doc), &old)
		}
		if o := old.Error; err != nil || o.Code != string(e.Code) || o.RetryAfter != e.RetryAfter || o.Sentence.EN != e.Message.String() ||
			o.Sentence.IT != e.Message.In("it") || o.Remedy.EN != "wait" {
			t.Errorf("%s: the version before reads %+v (%v) of %s", name, o, err, doc)
		}
		rewritten := strings.NewReplacer(`"message":`, `"x":`, `"hint":`, `"y":`, `"retry_after_seconds":`, `"z":`).Replace(doc)
		for _, doc := range []string{doc, rewritten} {
			if got := c.read([]byte(doc)); got == nil || got.Error() != e.Error() || got.RetryAfter != e.RetryAfter ||
				got.Message.In("it") != e.Message.In("it") {
				t.Errorf("%s: %+v of %s", name, got, doc)
			}
		}
	}
	if doc, err := EncodeRecipients([]Recipient{plain}); err != nil || doc != `[{"address":"a@example.org","state":"pending"}]` {
		t.Errorf("%s, %v", doc, err)
	}
	if doc, err := json.Marshal(e); err != nil || strings.Contains(string(doc), "sentence") {
		t.Errorf("shown: %s, %v", doc, err)
	}
}

// A connection is stored with the old name of a field beside the new one; an old
// node leaves its own name alone, and that counts.
func TestConnectionIsReadByTheVersionBefore(t *testing.T) {
	t.Parallel()
	c := &gateway.Connection{Policy: gateway.Policy{OnQuotaExceeded: "fallback"}}
	doc, sealed, err := SealConnection(c, nil, nil)
	if err != nil || !strings.Contains(string(doc), `"on_quota_exceeded":"fallback"`) ||
		!strings.Contains(string(doc), `"when_spent":"fallback"`) {
		t.Fatalf("%s, %v", doc, err)
	}
	for in, want := range map[string]string{
		string(doc):             "fallback",
		`{"when_spent":"wait"}`: "wait",
		`{}`:                    "",
		`{"when_spent":"wait","on_quota_exceeded":"fallback"}`: "fallback",
	} {
		if got, err := OpenConnection([]byte(in), sealed, nil); err != nil || got.OnQuotaExceeded != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
}
