package graph

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Which credential of the registration is the connection's, and when it ends.
func TestCredentialEnd(t *testing.T) {
	t.Parallel()
	// contracts A7; it is 22 November 2026, 10:00, and the secret is "s"
	sum := []byte("12345678901234567890")
	secrets := func(list ...string) string { return `{"passwordCredentials":[` + strings.Join(list, ",") + `]}` }
	keys := func(list ...string) string { return `{"keyCredentials":[` + strings.Join(list, ",") + `]}` }
	for _, c := range []struct {
		name   string
		thumb  []byte
		status int
		body   string
		want   string // "" none, "never", or a date, with name and among
		code   adapters.Code
	}{
		{name: "one", body: secrets(`{"hint":"s","displayName":"ERP  1","endDateTime":"2027-01-31T10:00:00Z"}`), want: "2027-01-31 ERP 1 1"},
		{name: "none", body: secrets()},
		{name: "of another hint", body: secrets(`{"hint":"abc","endDateTime":"2027-01-31T10:00:00Z"}`)},
		{name: "hint longer than the secret", body: secrets(`{"hint":"sss","endDateTime":"2027-01-31T10:00:00Z"}`)},
		{name: "by hint", body: secrets(`{"hint":"abc","endDateTime":"2026-12-31T10:00:00Z"}`, `{"endDateTime":"2026-12-01T10:00:00Z"}`,
			`{"hint":"s","endDateTime":"2027-01-31T10:00:00.1234567Z"}`), want: "2027-01-31  1"},
		{name: "two of one hint", body: secrets(`{"hint":"s","displayName":"b","endDateTime":"2027-01-31T10:00:00Z"}`,
			`{"hint":"s","displayName":"a","endDateTime":"2026-12-31T10:00:00Z"}`), want: "2026-12-31 a 2"},
		{name: "one of two has ended", body: secrets(`{"hint":"s","endDateTime":"2027-01-31T10:00:00Z"}`,
			`{"hint":"s","endDateTime":"2026-01-31T10:00:00Z"}`), want: "2027-01-31  1"},
		{name: "all have ended", body: secrets(`{"hint":"s","endDateTime":"2026-02-28T10:00:00Z"}`,
			`{"hint":"s","endDateTime":"2026-01-31T10:00:00Z"}`), want: "2026-02-28  1"},
		{name: "without hint", body: secrets(`{"hint":null,"endDateTime":"2027-01-31T10:00:00Z"}`, `{"hint":"abc"}`), want: "2027-01-31  1"},
		{name: "never", body: secrets(`{"hint":"s","endDateTime":null}`), want: "never  1"},
		{name: "never, or soon", body: secrets(`{"hint":"s"}`, `{"hint":"s","endDateTime":"2026-12-31T10:00:00Z"}`), want: "2026-12-31  2"},
		{name: "certificate", thumb: sum, body: keys(`{"customKeyIdentifier":"AAAA","endDateTime":"2026-12-31T10:00:00Z"}`,
			`{"customKeyIdentifier":"`+base64.StdEncoding.EncodeToString(sum)+`","endDateTime":"2027-01-31T10:00:00Z"}`), want: "2027-01-31  1"},
		{name: "certificate in hexadecimal", thumb: sum, body: keys(`{"customKeyIdentifier":"` + strings.ToUpper(hex.EncodeToString(sum)) +
			`","endDateTime":"2027-01-31T10:00:00Z"}`), want: "2027-01-31  1"},
		{name: "certificate of another", thumb: sum, body: keys(`{"customKeyIdentifier":"AAAA","endDateTime":"2026-12-31T10:00:00Z"}`)},
		{name: "not granted", status: 403, body: `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}`,
			code: adapters.CodeAccessDenied},
		{name: "no JSON", body: `<html>`, code: adapters.CodeGarbage},
		{name: "no date", body: secrets(`{"endDateTime":"tomorrow"}`), code: adapters.CodeGarbage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked string
			a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.RequestURI()
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				_, _ = io.WriteString(w, c.body)
			}))
			end, err := a.CredentialEnd(t.Context(), c.thumb)
			kind := "passwordCredentials"
			if c.thumb != nil {
				kind = "keyCredentials"
			}
			if asked != "/v1.0/applications(appId='c')?$select="+kind {
				t.Errorf("asked for %s", asked)
			}
			if code := adapters.AsError(err); c.code != "" && (code == nil || code.Code != c.code) || c.code == "" && err != nil {
				t.Fatalf("%v", err)
			}
			got := ""
			if end != nil {
				day := "never"
				if !end.Ends.IsZero() {
					day = end.Ends.Format(time.DateOnly)
				}
				got = day + " " + end.Name + " " + string(rune('0'+end.Among))
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
