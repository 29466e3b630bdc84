package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

func people() table[store.Person] {
	return table[store.Person]{name: "people", version: peopleVersion, id: func(p *store.Person) *string { return &p.ID },
		rev: func(p *store.Person) *int64 { return &p.Revision }, lookup: func(p *store.Person) string { return Fold(p.Email) },
		kind: store.KindPerson, label: func(p *store.Person) string { return p.Email },
		closed: closed([]string{"password_hash", "passkeys"})}
}

func sessions() table[store.Session] {
	return table[store.Session]{name: "sessions", version: peopleVersion, id: func(s *store.Session) *string { return &s.ID },
		rev: func(s *store.Session) *int64 { return &s.Revision }, lookup: func(s *store.Session) string { return s.Hash },
		kind: store.KindSession, label: func(s *store.Session) string { return s.Program },
		closed: closed([]string{"hash"}, "seen_at", "idle_until", "created_at")}
}

func invitations() table[store.Invitation] {
	return table[store.Invitation]{name: "invitations", version: peopleVersion, id: func(i *store.Invitation) *string { return &i.ID },
		rev: func(i *store.Invitation) *int64 { return &i.Revision }, lookup: func(i *store.Invitation) string { return i.Hash },
		kind: store.KindInvitation, label: func(i *store.Invitation) string { return i.Person },
		closed: closed([]string{"hash"}, "created_at")}
}

// Person implements store.People.
func (r Ports) Person(ctx context.Context, id string) (*store.Person, error) {
	return people().get(ctx, r.DB, "id", id)
}

// PersonByEmail implements store.People.
func (r Ports) PersonByEmail(ctx context.Context, email string) (*store.Person, error) {
	return people().get(ctx, r.DB, "lookup", anyText(Fold(email)))
}

// anyText is a text of a caller as an argument: no column has a NUL, or bytes that
// are no UTF-8, and PostgreSQL takes neither.
func anyText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// People implements store.People.
func (r Ports) People(ctx context.Context) ([]store.Person, error) { return people().all(ctx, r.DB) }

// PeopleVersion implements store.People.
func (r Ports) PeopleVersion(ctx context.Context) (int64, error) {
	return r.version(ctx, peopleVersion)
}

// PutPerson implements store.People.
func (r Ports) PutPerson(ctx context.Context, in store.Person) (out *store.Person, err error) {
	err = people().edit(ctx, r.DB, func(t Tx) error {
		p := in
		out = &p
		return writePerson(ctx, t, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// oneAtATime has edits that go by more than one record wait for each other, on all
// nodes: a record that is not there yet cannot be locked.
func oneAtATime(t Tx) error {
	var version string
	return t.Row(`SELECT value FROM settings WHERE name = $1`+t.Lock(), []any{peopleVersion}, &version)
}

// everyone reads all people: of two edits that each take the rights of one of two
// administrators, one sees the other.
func everyone(t Tx) (out []store.Person, err error) {
	if err := oneAtATime(t); err != nil {
		return nil, err
	}
	err = t.Each(`SELECT doc FROM people ORDER BY id`+t.Lock(), nil, func(sc Scan) error {
		p, err := people().read(sc)
		if err == nil {
			out = append(out, *p)
		}
		return err
	})
	return out, err
}

// lastAdmin reports whether the person with the id is the only active
// administrator.
func lastAdmin(all []store.Person, id string) bool {
	last := false
	for i := range all {
		if all[i].IsActiveAdmin() {
			if all[i].ID != id {
				return false
			}
			last = true
		}
	}
	return last
}

func writePerson(ctx context.Context, t Tx, p *store.Person) error {
	all, err := everyone(t)
	if err != nil {
		return err
	}
	old := slices.IndexFunc(all, func(o store.Person) bool { return o.ID == p.ID })
	if old >= 0 && !p.IsActiveAdmin() && lastAdmin(all, p.ID) && all[old].Revision == p.Revision {
		return store.ErrLastAdmin
	}
	if accountTaken(all, old, p) {
		return store.ErrAccountTaken
	}
	if err := people().write(ctx, t, p); err != nil || old < 0 {
		return err
	}
	if p.Disabled || all[old].PasswordHash != p.PasswordHash || lostPasskey(&all[old], p) || lostAccount(&all[old], p) {
		if _, err := sessions().removeWhere(ctx, t, func(s *store.Session) bool { return s.Person == p.ID }); err != nil {
			return err
		}
	}
	if !p.Disabled {
		return nil
	}
	_, err = invitations().removeWhere(ctx, t, func(i *store.Invitation) bool { return i.Person == p.ID })
	return err
}

// accountTaken reports whether the person gets an account that another one has;
// old is their place among all, or below 0. All are read under one lock: of two
// edits at one moment the second sees the first.
func accountTaken(all []store.Person, old int, p *store.Person) bool {
	if p.Account == (store.Account{}) || old >= 0 && all[old].Account == p.Account {
		return false
	}
	return slices.ContainsFunc(all, func(o store.Person) bool { return o.ID != p.ID && o.Account == p.Account })
}

// lostPasskey reports whether a passkey of the person before is none of theirs now.
func lostPasskey(before, now *store.Person) bool {
	return slices.ContainsFunc(before.Passkeys, func(k store.Passkey) bool {
		return !slices.ContainsFunc(now.Passkeys, func(o store.Passkey) bool { return o.ID == k.ID })
	})
}

// lostAccount reports whether the account of the person before is not theirs now.
func lostAccount(before, now *store.Person) bool {
	return before.Account != (store.Account{}) && before.Account != now.Account
}

// DeletePerson implements store.People.
func (r Ports) DeletePerson(ctx context.Context, id string) error {
	return people().edit(ctx, r.DB, func(t Tx) error {
		all, err := everyone(t)
		if err != nil {
			return err
		}
		if lastAdmin(all, id) {
			return store.ErrLastAdmin
		}
		if err := people().remove(ctx, t, id); err != nil {
			return err
		}
		_, err1 := sessions().removeWhere(ctx, t, func(s *store.Session) bool { return s.Person == id })
		_, err2 := invitations().removeWhere(ctx, t, func(i *store.Invitation) bool { return i.Person == id })
		keys, err3 := apiKeys().removeWhere(ctx, t, func(k *store.APIKey) bool { return k.Person == id })
		_, err4 := webhooks().removeWhere(ctx, t, func(w *store.Webhook) bool { return w.Person == id })
		if err := errors.Join(err1, err2, err3, err4); err != nil || keys == 0 {
			return err
		}
		return errors.Join(forgetUses(t), bump(t, clientsVersion))
	})
}

// SessionByHash implements store.People.
func (r Ports) SessionByHash(ctx context.Context, hash string) (*store.Session, error) {
	return sessions().get(ctx, r.DB, "lookup", hash)
}

// Sessions implements store.People.
func (r Ports) Sessions(ctx context.Context, person string) ([]store.Session, error) {
	all, err := sessions().all(ctx, r.DB)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(all, func(s store.Session) bool { return person != "" && s.Person != person })
	slices.SortStableFunc(out, func(a, b store.Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, nil
}

// PutSession implements store.People.
func (r Ports) PutSession(ctx context.Context, s store.Session) (*store.Session, error) {
	return sessions().put(ctx, r.DB, s)
}

// TouchSession implements store.People.
func (r Ports) TouchSession(ctx context.Context, id string, seen, idleUntil time.Time) error {
	return r.DB.Do(ctx, func(t Tx) error {
		s, err := sessions().read(func(dst ...any) error {
			return t.Row(`SELECT doc FROM sessions WHERE id = $1`+t.Lock(), []any{id}, dst...)
		})
		if err != nil {
			return err
		}
		s.SeenAt, s.IdleUntil = store.Micro(seen), store.Micro(idleUntil)
		_, err = sessions().set(t, s, false)
		return err
	})
}

// DeleteSession implements store.People.
func (r Ports) DeleteSession(ctx context.Context, id string) error {
	return sessions().edit(ctx, r.DB, func(t Tx) error { return sessions().remove(ctx, t, id) })
}

// DeleteSessions implements store.People.
func (r Ports) DeleteSessions(ctx context.Context, person, except string) (n int, err error) {
	err = sessions().edit(ctx, r.DB, func(t Tx) (err error) {
		n, err = sessions().removeWhere(ctx, t, func(s *store.Session) bool { return s.Person == person && s.ID != except })
		return err
	})
	return n, err
}

// InvitationByHash implements store.People.
func (r Ports) InvitationByHash(ctx context.Context, hash string) (*store.Invitation, error) {
	return invitations().get(ctx, r.DB, "lookup", hash)
}

// Invitations implements store.People.
func (r Ports) Invitations(ctx context.Context, person string) ([]store.Invitation, error) {
	all, err := invitations().all(ctx, r.DB)
	return slices.DeleteFunc(all, func(i store.Invitation) bool { return person != "" && i.Person != person }), err
}

// PutInvitation implements store.People.
func (r Ports) PutInvitation(ctx context.Context, in store.Invitation) (out *store.Invitation, err error) {
	err = invitations().edit(ctx, r.DB, func(t Tx) error {
		i := in
		out = &i
		if err := oneAtATime(t); err != nil {
			return err
		}
		if _, err := invitations().removeWhere(ctx, t, func(o *store.Invitation) bool {
			return o.Person == i.Person && o.ID != i.ID
		}); err != nil {
			return err
		}
		return invitations().write(ctx, t, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Redeem implements store.People.
func (r Ports) Redeem(ctx context.Context, now time.Time, hash string, in store.Person) (out *store.Person, err error) {
	err = people().edit(ctx, r.DB, func(t Tx) error {
		p := in
		out = &p
		all, err := everyone(t)
		if err != nil {
			return err
		}
		i, err := invitations().read(func(dst ...any) error {
			return t.Row(`SELECT doc FROM invitations WHERE lookup = $1`+t.Lock(), []any{hash}, dst...)
		})
		switch {
		case err != nil:
			return err
		case !now.Before(i.ExpiresAt), i.Person != p.ID:
			return store.ErrNotFound
		case i.Person == "" && len(all) > 0:
			return store.ErrExists
		}
		if err := invitations().remove(ctx, t, i.ID); err != nil {
			return err
		}
		return writePerson(ctx, t, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PurgePeople implements store.People.
func (r Ports) PurgePeople(ctx context.Context, now time.Time) (removed int, err error) {
	err = r.DB.Do(ctx, func(t Tx) error {
		removed = 0
		old, err := ended(t, sessions(), func(s *store.Session) bool { return s.Ended(now) })
		if err != nil {
			return err
		}
		unused, err := ended(t, invitations(), func(i *store.Invitation) bool { return !now.Before(i.ExpiresAt) })
		if err != nil {
			return err
		}
		left, err := ended(t, ceremonies(), func(c *store.Ceremony) bool { return !now.Before(c.ExpiresAt) })
		removed = old + unused + left
		return err
	})
	return removed, err
}

// ended removes records after their time: no one's change, so without an entry
// in the audit trail.
func ended[T any](t Tx, tb table[T], over func(*T) bool) (n int, err error) {
	var ids []string
	if err := t.Each(`SELECT doc FROM `+tb.name, nil, func(sc Scan) error {
		v, err := tb.read(sc)
		if err == nil && over(v) {
			ids = append(ids, *tb.id(v))
		}
		return err
	}); err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := t.Exec(`DELETE FROM `+tb.name+` WHERE id = $1`, id); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
