package doctor_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// fakeRecords is a store with what a test puts into it.
type fakeRecords struct {
	ping    error
	stats   store.Stats
	sending []store.Entry
	lanes   []store.Lane
	conns   []*gateway.Connection
	states  []store.ConnectionState
}

func (f *fakeRecords) Ping(context.Context) error { return f.ping }

func (f *fakeRecords) Stats(context.Context, time.Time) (store.Stats, error) { return f.stats, nil }

func (f *fakeRecords) List(context.Context, store.ListRequest) (store.Page, error) {
	return store.Page{Entries: f.sending}, nil
}

func (f *fakeRecords) Lanes(context.Context, string, int) ([]store.Lane, error) { return f.lanes, nil }

func (f *fakeRecords) Connections(context.Context) ([]*gateway.Connection, error) {
	return f.conns, nil
}

func (f *fakeRecords) ConnectionStates(context.Context) ([]store.ConnectionState, error) {
	return f.states, nil
}

// sees checks that a finding of the check has the status and, in both languages, the words.
func sees(t *testing.T, c doctor.Checkup, check string, status doctor.FindingStatus, en, it string) {
	t.Helper()
	for _, f := range c.Findings {
		if f.Check == check && f.Status == status && strings.Contains(f.Message.String(), en) {
			wantWords(t, f.Message.In("it"), it)
			if status != doctor.Good && status != doctor.NotDone && f.Hint.IsZero() {
				t.Errorf("%s %q has no hint", check, f.Message)
			}
			return
		}
	}
	for _, f := range c.Findings {
		t.Logf("%s %s: %s", f.Check, f.Status, f.Message)
	}
	t.Errorf("no %s %s with %q", check, status, en)
}

// installation is one in which all is well.
func installation(t *testing.T, sb *sandbox.Sandbox) (*doctor.Installation, *fakeRecords) {
	t.Helper()
	smtp := stored(sb.SMTPConnection(from))
	smtp.ID, smtp.Name, fallback.SettingsOf(&smtp.Connection).SourceAddress = "1", "Aruba", "127.0.0.1"
	graph := stored(sb.GraphConnection(from))
	graph.ID = "2"
	r := &fakeRecords{conns: []*gateway.Connection{smtp, graph}, stats: store.Stats{States: map[store.State]int64{store.Queued: 3}}}
	return &doctor.Installation{Doctor: newDoctor(sb), Records: r, Where: "the store", Folder: t.TempDir(), Hostname: "localhost",
		Free: func(string) (int64, error) { return 5 << 30, nil }, Reserve: 256 << 20,
		Skew: func(context.Context) (time.Duration, error) { return 0, nil }}, r
}

func TestInstallationInOrder(t *testing.T) {
	t.Parallel()
	sb := start(t)
	in, _ := installation(t, sb)
	seen := 0
	c := in.Check(t.Context(), func(doctor.Finding) { seen++ })
	if !c.OK || seen != len(c.Findings) {
		t.Errorf("ok %v, %d of %d reported", c.OK, seen, len(c.Findings))
	}
	sees(t, c, "disk", doctor.Good, "5120 MB free", "5120 MB liberi")
	sees(t, c, "fsync", doctor.Good, "a sync in", "una sincronizzazione")
	sees(t, c, "store", doctor.Good, "takes messages", "accetta messaggi")
	sees(t, c, "clock", doctor.Good, "the database's agree", "concordano")
	sees(t, c, "clock", doctor.Good, "its clock differs by", "il suo orologio differisce")
	sees(t, c, "secrets", doctor.Good, "2 connections open", "2 connessioni si aprono")
	sees(t, c, "lane", doctor.Good, "none is paused", "nessuna è in pausa")
	sees(t, c, "leases", doctor.Good, "none for long", "nessuna da molto")
	sees(t, c, "queue", doctor.Good, "3 deliveries wait", "attendono 3 consegne")
	sees(t, c, "server", doctor.Good, "Microsoft 365", "sono in ordine")
	sees(t, c, "addresses", doctor.Good, "127.0.0.1 (configured)", "(visti dai server)")
	sees(t, c, "configuration", doctor.Good, "no known problems", "non ha problemi noti")
	if a := c.Addresses; len(a.Configured) != 1 || len(a.Seen) != 1 || a.Seen[0].String() != "127.0.0.1" {
		t.Errorf("addresses: %+v", a)
	}
	if n := sb.Counters()["entra.token"] + sb.Counters()["smtp.auth"]; n != 0 {
		t.Errorf("a credential was used %d times", n)
	}
}

// TestInstallationFindings: each trouble is found, with what to do.
func TestInstallationFindings(t *testing.T) {
	t.Parallel()
	sb := start(t)
	in, r := installation(t, sb)
	now := time.Now()
	closed := stored(sb.SMTPConnection(from))
	closed.ID, closed.Name, closed.Fallback = "3", "Vecchia", []string{"Nessuna"}
	fallback.SettingsOf(&closed.Connection).Password = adapters.Redacted
	gone := stored(sb.SMTPConnection(from))
	gone.ID, gone.Name, fallback.SettingsOf(&gone.Connection).Port = "4", "Spenta", 1
	r.conns = append(r.conns, closed, gone)
	r.states = []store.ConnectionState{{Connection: "1", PausedUntil: now.Add(time.Hour),
		Error: &adapters.Error{Message: mime.NewText("none.such", "the login was refused"), Hint: mime.NewText("none.such", "check it")}}}
	full := store.Lane{Key: "smtp:full", Limits: adapters.LaneLimits{RecipientsPerDay: 1}}
	full.Day.Add(store.Span{Length: 24 * time.Hour, Bucket: 15 * time.Minute}, now, now, 1)
	r.lanes = []store.Lane{full, {Key: "smtp:paused", PausedUntil: now.Add(time.Hour), Reason: mime.NewText("none.such", "slow down")}}
	r.sending = []store.Entry{{Delivery: store.Delivery{ID: store.NewID(), Node: "b", Since: now.Add(-2 * time.Hour)}}}
	r.stats.OldestDue, r.stats.States[store.Held] = now.Add(-5*time.Hour), 2
	in.Free = func(string) (int64, error) { return 1 << 20, nil }
	in.Hostname = "postino.localdomain"
	in.Skew = func(context.Context) (time.Duration, error) { return -time.Minute, nil }
	in.Warnings = []mime.Text{mime.NewText("none.such", "POSTINO_SMTP has no effect")}
	bad := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(bad, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	in.Listeners = []doctor.Listener{{Kind: "smtp", Address: "127.0.0.1:1", CertFile: bad, KeyFile: bad}}

	c := in.Check(t.Context(), nil)
	if c.OK {
		t.Error("nothing failed")
	}
	sees(t, c, "disk", doctor.Bad, "less than the reserve", "meno della riserva")
	sees(t, c, "listener", doctor.Bad, "does not answer", "non risponde")
	sees(t, c, "certificate", doctor.Bad, "cannot be used", "non si può usare")
	sees(t, c, "dns", doctor.Warning, "no name of its own", "non ha un nome proprio")
	sees(t, c, "clock", doctor.Warning, "differ by 1m0s", "differiscono di 1m0s")
	sees(t, c, "secrets", doctor.Bad, "of the connection Vecchia", "della connessione Vecchia")
	sees(t, c, "connection", doctor.Warning, "Aruba is paused: the login was refused", "è in pausa")
	sees(t, c, "connection", doctor.Warning, "names the fallback Nessuna", "indica la riserva Nessuna")
	sees(t, c, "lane", doctor.Warning, "smtp:full has used up", "ha esaurito")
	sees(t, c, "lane", doctor.Warning, "smtp:paused is paused: slow down", "è in pausa")
	sees(t, c, "leases", doctor.Warning, "on node b since", "sul nodo b dal")
	sees(t, c, "queue", doctor.Warning, "has waited since", "attende dal")
	sees(t, c, "queue", doctor.Warning, "2 deliveries wait for a person", "2 consegne attendono una decisione")
	sees(t, c, "server", doctor.Bad, "which the connection Spenta needs, fails at connection", "fallisce alla voce collegamento")
	sees(t, c, "configuration", doctor.Warning, "POSTINO_SMTP has no effect", "POSTINO_SMTP")
}

// TestInstallationStore: a store that does not open or take anything is said, and
// the rest is looked at.
func TestInstallationStore(t *testing.T) {
	t.Parallel()
	sb := start(t)
	in, r := installation(t, sb)
	r.ping = errors.New("no room")
	sees(t, in.Check(t.Context(), nil), "store", doctor.Bad, "does not take anything: no room", "non accetta nulla")
	in.Records, in.StoreErr = nil, errors.New("another key")
	c := in.Check(t.Context(), nil)
	sees(t, c, "store", doctor.Bad, "cannot be opened: another key", "non si apre")
	sees(t, c, "disk", doctor.Good, "MB free", "MB liberi")
}

// TestInstallationListeners: SMTP, HTTP with and without TLS, and a unix socket are called.
func TestInstallationListeners(t *testing.T) {
	t.Parallel()
	sb := start(t)
	in, r := installation(t, sb)
	r.conns = nil
	health := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	plain, secure := httptest.NewServer(health), httptest.NewTLSServer(health)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	dir, err := os.MkdirTemp("", "doctor") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "http.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	socket := &httptest.Server{Listener: l, Config: &http.Server{Handler: health, ReadHeaderTimeout: time.Minute}}
	socket.Start()
	t.Cleanup(socket.Close)
	starttls, implicit, _ := sb.SMTPPorts()
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	in.Listeners = []doctor.Listener{
		{Kind: "smtp", Address: at(starttls)}, {Kind: "smtp", Address: at(implicit), TLS: "implicit"},
		{Kind: "http", Address: plain.Listener.Addr().String()}, {Kind: "http", Address: secure.Listener.Addr().String(), TLS: "implicit"},
		{Kind: "socket", Address: path},
	}
	c := in.Check(t.Context(), nil)
	for _, l := range in.Listeners {
		sees(t, c, "listener", doctor.Good, l.Address+" answers", "risponde")
	}
	in.Listeners = []doctor.Listener{{Kind: "smtp", Address: plain.Listener.Addr().String(), TLS: "implicit"}}
	sees(t, in.Check(t.Context(), nil), "listener", doctor.Bad, "does not answer", "non risponde")
}
