package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A shelf is a store that no server works on, with a delivery in each state.
type shelf struct {
	t    *testing.T
	data string
	ids  map[store.State]store.ID
}

// newShelf has one delivery in each state, of a connection with the name and
// that gives up after so many hours (0: it does not say).
func newShelf(t *testing.T, name string, hours int) *shelf {
	t.Helper()
	s := &shelf{t: t, data: filepath.Join(t.TempDir(), "data"), ids: map[store.State]store.ID{}}
	conn := &gateway.Connection{Connection: adapters.Connection{Name: name, Provider: adapters.SMTP, From: "erp@contoso.it",
		Settings: &fallback.Settings{Host: "127.0.0.1", Port: 1, Encryption: fallback.EncryptionNone}}}
	if hours > 0 {
		conn.Retry = &gateway.Retry{GiveUpHours: hours}
	}
	s.open(func(st store.Store) error {
		c, err := st.PutConnection(t.Context(), time.Now(), conn)
		if err != nil {
			return err
		}
		for _, state := range store.States() {
			if state != store.Sending {
				if s.ids[state], err = s.put(st, c, state, state == store.Unverified); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return s
}

func (s *shelf) open(work func(store.Store) error) {
	s.t.Helper()
	st, err := app.OpenStore(s.t.Context(), app.Storage{Data: s.data}, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(work(st), st.Close()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) put(st store.Store, c *gateway.Connection, state store.State, unknown bool) (store.ID, error) {
	now := time.Now()
	got, err := st.Submit(s.t.Context(), store.Submission{Now: now, Messages: []store.NewMessage{{
		Message: store.Message{MessageID: fmt.Sprintf("<%s@contoso.it>", state), From: mailboxtest.Of("erp@contoso.it"),
			Subject:    state.String(),
			EntryPoint: "smtp"},
		Head: []byte("From: erp@contoso.it\r\n\r\n"), Body: mime.Bytes([]byte("ciao\r\n")),
		Deliveries: []store.NewDelivery{{Route: store.Route{Connection: c.ID, Lane: c.Lane(mime.Mailbox{})},
			Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}},
			ExpiresAt:  now.Add(time.Minute)}},
	}}})
	if err != nil {
		return store.ID{}, err
	}
	id := got[0].Deliveries[0]
	d, err := st.Delivery(s.t.Context(), id)
	if err != nil {
		return id, err
	}
	step := store.Transition{Delivery: id, Epoch: d.Epoch, Now: now, State: state, NextAt: now.Add(time.Hour),
		Recipients: slices.Clone(d.Recipients)}
	step.Recipients[0].State = map[store.State]store.RecipientState{store.Sent: store.RecipientSent, store.Failed: store.RecipientFailed,
		store.Expired: store.RecipientFailed, store.Cancelled: store.RecipientCanceled}[state]
	if step.Recipients[0].State == "" {
		step.Recipients[0].State = store.Pending
	}
	if unknown {
		step.Progress.UnknownSince = now
	}
	return id, st.Transition(s.t.Context(), step)
}

// queue runs a command and returns which states the deliveries have after it.
func (s *shelf) queue(line string) (code int, out, errOut string, after map[store.State]store.Delivery) {
	s.t.Helper()
	code, out, errOut = command(s.t, "", append(append([]string{"queue"}, strings.Fields(line)...), "--data", s.data)...)
	after = map[store.State]store.Delivery{}
	s.open(func(st store.Store) error {
		for was, id := range s.ids {
			d, err := st.Delivery(s.t.Context(), id)
			if err != nil {
				return err
			}
			after[was] = *d
		}
		return nil
	})
	return code, out, errOut, after
}

// What --all takes: never what a person kept back or what may have been sent,
// unless that is asked for (design rule 5), and nothing at all without a filter.
func TestQueueAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line    string
		code    int
		want    string
		changed string // states that the verb changed, in order
	}{
		{"retry --all --connection way", 0, "retry: 3 changed, 0 skipped", "queued failed expired"},
		{"retry --all --since 7d", 0, "retry: 3 changed, 0 skipped", "queued failed expired"},
		{"retry --all --since 7d --json", 0, `"changed": 3`, "queued failed expired"},
		{"retry --all --state cancelled", 0, "retry: 1 changed, 0 skipped", "cancelled"},
		{"retry --all --state held --state unverified", 0, "retry: 2 changed, 0 skipped", "unverified held"},
		{"retry --all --state sent", 0, "retry: 0 changed, 1 skipped", ""},
		{"retry --all --tag nothing", 0, "retry: 0 changed, 0 skipped", ""},
		{"cancel --all --connection way", 0, "cancel: 3 changed, 4 skipped", "queued unverified held"},
		{"hold --all --connection way", 0, "hold: 2 changed, 5 skipped", "queued unverified"},
		{"release --all --connection way", 0, "release: 1 changed, 6 skipped", "held"},
		{"retry --all", app.ExitUsage, "--all needs a filter: --state, --connection,", ""},
		{"cancel --all", app.ExitUsage, "--all needs a filter: --state, --connection,", ""},
		{"hold --all", app.ExitUsage, "--all needs a filter", ""},
		{"release --all", app.ExitUsage, "--all needs a filter", ""},
		{"cancel --all --tag=", app.ExitUsage, "--all needs a filter", ""}, // as of an empty variable
		{"cancel --all --since=-1h", app.ExitUsage, "--since is how long ago", ""},
		{"cancel --state queued", app.ExitUsage, "--all", ""},
		{"retry --all --client nobody", app.ExitUsage, `there is no client "nobody"`, ""},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, "way", 0)
			_, _, _, before := s.queue("stats")
			code, out, errOut, after := s.queue(c.line)
			var changed []string
			for _, state := range store.States() {
				if before[state].Epoch != after[state].Epoch {
					changed = append(changed, state.String())
				}
			}
			if code != c.code || !strings.Contains(out+errOut, c.want) || strings.Join(changed, " ") != c.changed {
				t.Errorf("exit %d, changed %v: %s%s", code, changed, out, errOut)
			}
		})
	}
}

// What expired while it was not known whether it was sent is no ordinary
// failure: it goes out again only where that is asked for.
func TestQueueExpiredUnknown(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "way", 0)
	s.open(func(st store.Store) error {
		c, err := st.ConnectionNamed(t.Context(), "way")
		if err != nil {
			return err
		}
		_, err = s.put(st, c, store.Expired, true)
		return err
	})
	for _, c := range []struct{ line, want string }{
		{"retry --all --connection way", "retry: 3 changed, 1 skipped"},
		{"retry --all --state expired", "retry: 1 changed, 0 skipped"},
	} {
		if code, out, errOut, _ := s.queue(c.line); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d: %s%s", c.line, code, out, errOut)
		}
	}
}

// What is named is done or said why not; what does not exist stops the rest.
func TestQueueNamed(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "way", 0)
	unknown := store.NewID().String()
	for _, c := range []struct {
		line string
		code int
		want []string
	}{
		{"retry FAILED " + unknown, app.ExitFailure, []string{"there is no delivery " + unknown}},
		{"show " + unknown, app.ExitFailure, []string{"there is no delivery " + unknown}},
		{"show x", app.ExitUsage, []string{`"x" is not the id of a delivery`}},
		{"retry FAILED x", app.ExitUsage, []string{`"x" is not the id of a delivery`}},
		{"retry FAILED --state queued", app.ExitUsage, []string{"ids and filters do not go together"}},
		{"retry FAILED --since 7d", app.ExitUsage, []string{"ids and filters do not go together"}},
		{"retry FAILED --all", app.ExitUsage, []string{"ids and filters do not go together"}},
		{"cancel SENT", app.ExitFailure, []string{"cancel: 0 changed, 1 skipped", "SENT: its state is sent: it cannot be cancelled"}},
		{"cancel SENT EXPIRED QUEUED", app.ExitFailure, []string{"cancel: 1 changed, 2 skipped",
			"SENT: its state is sent: it cannot be cancelled", "EXPIRED: its state is expired: it cannot be cancelled"}},
		{"cancel SENT --json", app.ExitFailure, []string{`"skipped": 1`, `"state": "sent"`, `"id": "SENT"`, "cannot be cancelled"}},
		{"retry FAILED FAILED", 0, []string{"retry: 1 changed, 0 skipped"}},
		{"hold CANCELLED", app.ExitFailure, []string{"cannot be held"}},
		{"release CANCELLED", app.ExitFailure, []string{"cannot be released"}},
	} {
		names := []string{}
		for state, id := range s.ids {
			names = append(names, strings.ToUpper(state.String()), id.String())
		}
		named := strings.NewReplacer(names...)
		_, _, _, before := s.queue("stats")
		code, out, errOut, after := s.queue(named.Replace(c.line))
		for _, want := range c.want {
			if want = named.Replace(want); code != c.code || !strings.Contains(out+errOut, want) {
				t.Errorf("%s: exit %d, want %d with %q: %s%s", c.line, code, c.code, want, out, errOut)
			}
		}
		if c.code == app.ExitUsage || strings.Contains(c.line, unknown) {
			for state := range before {
				if before[state].Epoch != after[state].Epoch {
					t.Errorf("%s changed what is %s", c.line, state)
				}
			}
		}
		if strings.HasSuffix(c.line, "--json") && (errOut != "" || !json.Valid([]byte(out))) {
			t.Errorf("%s is not JSON alone: %s%s", c.line, out, errOut)
		}
	}
}

// What is sent again by hand has the time that its connection gives it.
func TestQueueExpiry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		hours int
		want  time.Duration
	}{{"says nothing", 0, 72 * time.Hour}, {"gives up after 5 hours", 5, 5 * time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, "way", c.hours)
			start := time.Now()
			for _, line := range []string{"retry --all --state failed", "release " + s.ids[store.Held].String(), "cancel --all --state queued"} {
				if code, out, errOut, _ := s.queue(line); code != 0 {
					t.Fatalf("%s: exit %d: %s%s", line, code, out, errOut)
				}
			}
			_, _, _, after := s.queue("stats")
			for state, want := range map[store.State]time.Duration{store.Failed: c.want, store.Held: c.want, store.Queued: time.Minute,
				store.Unverified: time.Minute} {
				if got := after[state].ExpiresAt.Sub(start); got < want-time.Minute || got > want+time.Minute {
					t.Errorf("what was %s expires in %v, want %v", state, got, want)
				}
			}
		})
	}
}

// A refusal of one recipient is seen although the others have the message.
func TestQueuePartlyRefused(t *testing.T) {
	t.Parallel()
	_, r := serveWith(t, func(s *sandbox.Sandbox) *adapters.Connection {
		return called("Azienda", s.SMTPConnection("erp@contoso.it"))
	})
	r.submit("good", "erp@contoso.it", "anna@example.com")
	r.submit("half", "erp@contoso.it", "nobody+550@example.com")
	r.await("sent", 3) // and the notification
	if out := r.queue(0, "list"); !strings.Contains(out, "1 of 2 refused: ") || !strings.Contains(out, "CONNECTION") ||
		!strings.Contains(out, " Azienda ") {
		t.Errorf("in the list:\n%s", out)
	}
	for _, lang := range []string{"en", "it"} {
		code, out, _ := command(t, "", "--lang", lang, "queue", "list", "--refused", "--data", r.data)
		want := map[string]string{"en": "1 of 2 refused: the recipient does not exist", "it": "il destinatario non esiste"}[lang]
		if rows := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(rows) != 2 || !strings.Contains(rows[1], " half ") ||
			!strings.Contains(rows[1], want) {
			t.Errorf("in %s, exit %d:\n%s", lang, code, out)
		}
	}
	if got := r.entries("--refused", "--limit", "1"); len(got) != 1 || got[0].Message.Subject != "half" {
		t.Errorf("as JSON: %+v", got)
	}
	if e := r.entries("--refused")[0]; e.Delivery.Connection.Name != "Azienda" || e.Delivery.Error == nil &&
		e.Delivery.Recipients[0].Error == nil && e.Delivery.Recipients[1].Error == nil {
		t.Errorf("as JSON: %+v", e)
	}
	lines := strings.Split(strings.TrimSpace(r.queue(0, "list", "--jsonl")), "\n")
	if len(lines) != 3 {
		t.Errorf("%d lines of JSON", len(lines))
	}
	for _, line := range lines {
		var e app.QueueEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID != e.Delivery.ID || e.Message.EntryPoint == "" {
			t.Errorf("%v: %s", err, line)
		}
	}
	if out := r.queue(0, "list", "--json", "--state", "held"); strings.TrimSpace(out) != "[]" {
		t.Errorf("no delivery as JSON: %s", out)
	}
	dir := filepath.Join(t.TempDir(), "out")
	var done struct{ Deliveries int }
	if out := r.queue(0, "export", "--json", "--dir", dir, "--to", "nobody+550"); json.Unmarshal([]byte(out), &done) != nil ||
		done.Deliveries != 1 {
		t.Errorf("export: %s", out)
	}
}
