package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A change does not happen when its entry in the audit trail cannot be written.
func TestChangeWithoutItsEntry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.ActorUser, ID: "0", Name: "root", Via: store.ViaCommand, At: time.Now()})
	anna, err := s.PutPerson(ctx, store.Person{Email: "anna@contoso.it", Role: store.RoleAdmin, PasswordHash: "h"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := s.PutClient(ctx, store.Client{Name: "erp"})
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.PutSession(ctx, store.Session{Person: anna.ID, Hash: "s", IdleUntil: time.Now().Add(time.Hour),
		ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, "postino.db"), true))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the trail is full'); END`); err != nil {
		t.Fatal(err)
	}
	renamed, other := *anna, *client
	renamed.Name, renamed.PasswordHash, other.Name = "Anna", "another", "another"
	for what, change := range map[string]func() error{
		"a person is added": func() error {
			_, err := s.PutPerson(ctx, store.Person{Email: "eve@contoso.it", Role: store.RoleOperator})
			return err
		},
		"a person is changed":  func() error { _, err := s.PutPerson(ctx, renamed); return err },
		"a client is changed":  func() error { _, err := s.PutClient(ctx, other); return err },
		"a client is removed":  func() error { return s.DeleteClient(ctx, client.ID) },
		"a session is ended":   func() error { return s.DeleteSession(ctx, session.ID) },
		"a key is added":       func() error { _, err := s.PutAPIKey(ctx, store.APIKey{Name: "k", Hash: "k"}); return err },
		"a setting is changed": func() error { return s.SetSetting(ctx, "language", "it") },
		"someone is invited": func() error {
			_, err := s.PutInvitation(ctx, store.Invitation{Person: anna.ID, Hash: "i", ExpiresAt: time.Now().Add(time.Hour)})
			return err
		},
	} {
		if err := change(); err == nil {
			t.Errorf("%s, and there is no entry", what)
		}
	}
	people, err := s.People(ctx)
	if err != nil || len(people) != 1 || people[0].Name != "" || people[0].PasswordHash != "h" || people[0].Revision != anna.Revision {
		t.Errorf("people: %+v, %v", people, err)
	}
	clients, err := s.Clients(ctx)
	if err != nil || len(clients) != 1 || clients[0].Name != "erp" {
		t.Errorf("clients: %+v, %v", clients, err)
	}
	if _, err := s.SessionByHash(ctx, "s"); err != nil {
		t.Errorf("the session: %v", err)
	}
	if v, err := s.Setting(ctx, "language"); err == nil {
		t.Errorf("the setting: %q", v)
	}
	keys, err := s.APIKeys(ctx, "")
	invitations, err2 := s.Invitations(ctx, "")
	if err != nil || err2 != nil || len(keys)+len(invitations) > 0 {
		t.Errorf("%v, %v, %v, %v", keys, err, invitations, err2)
	}
}
