package programs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

type fakeStore struct {
	fail  error
	calls int
	got   map[string]store.Program

	useCalls int
	uses     map[string]store.Use
}

func (f *fakeStore) Programs(context.Context, string) ([]store.Program, error) { return nil, nil }

func (f *fakeStore) SawPrograms(_ context.Context, seen []store.Program, _ int) error {
	f.calls++
	if f.fail != nil {
		return f.fail
	}
	if f.got == nil {
		f.got = map[string]store.Program{}
	}
	for _, p := range seen {
		old := f.got[p.Digest]
		p.Messages += old.Messages
		f.got[p.Digest] = p
	}
	return nil
}

func (f *fakeStore) Uses(context.Context, string, ...string) (map[string]store.Use, error) {
	return nil, nil
}

func (f *fakeStore) SawUses(_ context.Context, seen []store.Use) error {
	f.useCalls++
	if f.fail != nil {
		return f.fail
	}
	if f.uses == nil {
		f.uses = map[string]store.Use{}
	}
	for _, u := range seen {
		known := f.uses[u.Key()]
		known.Merge(&u)
		f.uses[u.Key()] = known
	}
	return nil
}

func at(s int) time.Time { return time.Date(2026, 11, 30, 10, 0, s, 0, time.UTC) }

func TestIDForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"<1234.5.1700000000.JavaMail.erp@erp01>", "<98.76.1711111111.JavaMail.erp@ERP01>", "<x.x.x.JavaMail.x@erp01>"},
		{"<20261130.123456.7@web.contoso.it>", "<20261201.9.88@web.contoso.it>", "<x.x.x@web.contoso.it>"},
		{"<0b6c1f5e-8f3a-4c1e-9a53-0f0e6a3b1c2d@host>", "<ffffffff-8f3a-4c1e-9a53-0f0e6a3b1c2d@host>", "<x@host>"},
		{"<000001d9$abc12$def@pc>", "<000009ff$0c$1@pc>", "<x$x$x@pc>"},
		{"", "", ""},
	} {
		if a, b := idForm(c.a), idForm(c.b); a != c.want || b != c.want {
			t.Errorf("%q, %q: %q, %q, want %q", c.a, c.b, a, b, c.want)
		}
	}
	if got := idForm("<" + strings.Repeat("a.", 300) + "@" + strings.Repeat("b", 400) + ">"); len(got) > longest {
		t.Error(len(got))
	}
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	st := &fakeStore{fail: errors.New("down")}
	r := New(st, slog.New(slog.DiscardHandler))
	s := Sighting{Client: "c", EntryPoint: "smtp", Peer: Peer{Address: netip.MustParseAddr("192.0.2.1"), Hello: "erp\x01\xff", Auth: "PLAIN",
		TLS: tls.VersionTLS12}, Agent: "ERP 9", MessageID: "<1.2@erp>", From: "a@x.it", Connection: "k", At: at(1)}
	r.Saw(s)
	if r.Flush(t.Context()) == nil {
		t.Error("a failure is not told")
	}
	s.MessageID, s.At, s.From = "<3.4@erp>", at(2), "b@x.it"
	r.Saw(s)
	st.fail = nil
	if err := r.Flush(t.Context()); err != nil || len(st.got) != 1 {
		t.Fatalf("%v, %+v", err, st.got)
	}
	for _, p := range st.got {
		if p.Messages != 2 || p.TLS != "TLS 1.2" || p.Address != "192.0.2.1" || p.Hello != "erp??" || p.From != "b@x.it" ||
			p.FirstAt != at(1) || p.LastAt != at(2) {
			t.Errorf("%+v", p)
		}
	}
	if err := r.Flush(t.Context()); err != nil || st.calls != 2 {
		t.Errorf("nothing new: %v, %d calls", err, st.calls)
	}
	// One client cannot fill the memory with names that it makes up.
	for i := range 10_000 {
		s.Peer.Hello = fmt.Sprint("host", i)
		r.Saw(s)
	}
	if err := r.Flush(t.Context()); err != nil || len(st.got) != 1+MostOfClient {
		t.Errorf("%v, %d", err, len(st.got))
	}
}

func BenchmarkSaw(b *testing.B) {
	r := New(&fakeStore{}, slog.New(slog.DiscardHandler))
	s := Sighting{Client: "c", EntryPoint: "smtp", Peer: Peer{Address: netip.MustParseAddr("192.0.2.1"), Hello: "erp.contoso.it",
		Auth: "PLAIN", TLS: tls.VersionTLS12}, Agent: "Microsoft Outlook 16.0",
		MessageID: "<1234.5.1700000000.JavaMail.erp@erp01>", From: "a@x.it", At: at(1)}
	b.ReportAllocs()
	for b.Loop() {
		r.Saw(s)
	}
}

// While the store is away the log has it once, and once more when it is back.
func TestFailuresAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := New(&fakeStore{}, slog.New(slog.NewTextHandler(&log, nil)))
	failing := false
	for _, err := range []error{nil, errors.New("down"), errors.New("down"), errors.New("still down"), nil, nil, errors.New("down")} {
		r.tried(&failing, err)
	}
	if s := log.String(); strings.Count(s, "could not be noted") != 2 || strings.Count(s, "noted again") != 1 {
		t.Error(s)
	}
}
