package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// said is a text in two languages that is in no catalogue.
func said(t *testing.T, en, it string) (text Text) {
	t.Helper()
	doc, err := json.Marshal(map[string]string{"en": en, "it": it})
	if err == nil {
		err = json.Unmarshal(doc, &text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestErrorJSON(t *testing.T) {
	t.Parallel()
	e := &Error{Class: Throttled, Code: "busy", RetryAfter: 1500 * time.Millisecond, Message: said(t, "busy", "occupato")}
	b, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(b), `"retry_after_seconds":1.5`) || !strings.Contains(string(b), `"message":{`) {
		t.Errorf("%v: %s", err, b)
	}
	for _, record := range []string{string(b),
		`{"class":"throttled","code":"busy","retry_after":1.5,"message":{"en":"busy","it":"occupato"}}`,
		`{"class":"throttled","code":"busy","retry_after_seconds":1.5,"retry_after_ns":1500000000,"message":{"en":"busy","it":"occupato"},` +
			`"sentence":{"en":"before"}}`,
		`{"class":"throttled","code":"busy","retry_after_ns":1500000000,"sentence":{"en":"busy","it":"occupato"},"remedy":{"en":"","it":""}}`} {
		var read Error
		if err := json.Unmarshal([]byte(record), &read); err != nil {
			t.Fatal(err)
		}
		if read.Error() != e.Error() || read.RetryAfter != e.RetryAfter || read.Message.In("it") != "occupato" || read.Hint.In("it") != "" {
			t.Errorf("%s reads as %+v", record, read)
		}
	}
}

// Records of before 1.0 have one code: what the provider called it, or our own.
func TestCodeOfRecords(t *testing.T) {
	t.Parallel()
	for record, want := range map[string][2]string{
		`{"code":"ErrorSendAsDenied"}`: {"refused", "ErrorSendAsDenied"},
		`{"code":"554 5.2.252"}`:       {"refused", "554 5.2.252"},
		`{"code":"AADSTS7000222"}`:     {"refused", "AADSTS7000222"},
		`{"code":"rateLimitExceeded"}`: {"refused", "rateLimitExceeded"},
		`{"code":"429"}`:               {"refused", "429"},
		`{"code":"DuplicateDelivery"}`: {"duplicate_delivery", ""},
		`{"code":"node_lost"}`:         {"node_lost", ""},
		`{"code":"no_smtputf8"}`:       {"no_smtputf8", ""},
		`{"code":"credential_expired","provider_code":"AADSTS7000222"}`: {"credential_expired", "AADSTS7000222"},
		`{}`: {"", ""},
	} {
		var e Error
		if err := json.Unmarshal([]byte(record), &e); err != nil || string(e.Code) != want[0] || e.ProviderCode != want[1] {
			t.Errorf("%s: %q and %q, %v", record, e.Code, e.ProviderCode, err)
		}
	}
}

func TestErrorIs(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("send: %w", &Error{Class: Transient, Code: CodeTimeout, Err: io.EOF})
	for target, want := range map[error]bool{Transient: true, CodeTimeout: true, io.EOF: true, Throttled: false, CodeProxy: false} {
		if errors.Is(err, target) != want {
			t.Errorf("errors.Is(err, %v) is not %v", target, want)
		}
	}
	for class, want := range map[Class]bool{Transient: true, Throttled: true, Auth: true, Permanent: false, Unknown: false} {
		if (&Error{Class: class}).Temporary() != want {
			t.Errorf("%s: Temporary is not %v", class, want)
		}
	}
}
