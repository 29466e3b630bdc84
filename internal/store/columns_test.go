package store

import (
	"testing"
	"time"
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
