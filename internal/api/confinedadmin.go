package api

import (
	"context"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Clients and people are the administrators': what an operator changes of
// themselves goes through people.Service, which is told the person. Of keys and
// of the audit trail they have their own part.

// Client implements store.Clients.
func (s confined) Client(ctx context.Context, id string) (*store.Client, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.Client(ctx, id)
}

// ClientNamed implements store.Clients.
func (s confined) ClientNamed(ctx context.Context, name string) (*store.Client, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.ClientNamed(ctx, name)
}

// Clients implements store.Clients.
func (s confined) Clients(ctx context.Context) ([]store.Client, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Clients(ctx)
}

// PutClient implements store.Clients.
func (s confined) PutClient(ctx context.Context, c store.Client) (*store.Client, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.PutClient(ctx, c)
}

// DeleteClient implements store.Clients.
func (s confined) DeleteClient(ctx context.Context, id string) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.DeleteClient(ctx, id)
}

// ClientsVersion implements store.Clients.
func (s confined) ClientsVersion(ctx context.Context) (int64, error) {
	return s.all.ClientsVersion(ctx)
}

// APIKeyByHash implements store.Clients.
func (s confined) APIKeyByHash(ctx context.Context, hash string) (*store.APIKey, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.APIKeyByHash(ctx, hash)
}

// APIKeys implements store.Clients.
func (s confined) APIKeys(ctx context.Context, client string) ([]store.APIKey, error) {
	all, err := s.all.APIKeys(ctx, client)
	owner := caller(ctx).owner()
	return slices.DeleteFunc(all, func(k store.APIKey) bool { return owner != "" && k.Person != owner }), err
}

// PutAPIKey implements store.Clients.
func (s confined) PutAPIKey(ctx context.Context, k store.APIKey) (*store.APIKey, error) {
	if owner := caller(ctx).owner(); owner != "" {
		own, err := s.APIKeys(ctx, "")
		if err != nil {
			return nil, err
		}
		known := k.ID == "" || slices.ContainsFunc(own, func(o store.APIKey) bool { return o.ID == k.ID })
		if k.Person != owner || k.Client != "" || len(k.Scopes) > 0 || !known {
			return nil, forOthers(ctx)
		}
	}
	return s.all.PutAPIKey(ctx, k)
}

// DeleteAPIKey implements store.Clients.
func (s confined) DeleteAPIKey(ctx context.Context, id string) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.DeleteAPIKey(ctx, id)
}

// TouchAPIKey implements store.Clients.
func (s confined) TouchAPIKey(ctx context.Context, id string, at time.Time) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.TouchAPIKey(ctx, id, at)
}

// Person implements store.People.
func (s confined) Person(ctx context.Context, id string) (*store.Person, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.Person(ctx, id)
}

// PersonByEmail implements store.People.
func (s confined) PersonByEmail(ctx context.Context, email string) (*store.Person, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.PersonByEmail(ctx, email)
}

// People implements store.People.
func (s confined) People(ctx context.Context) ([]store.Person, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.People(ctx)
}

// PutPerson implements store.People.
func (s confined) PutPerson(ctx context.Context, p store.Person) (*store.Person, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.PutPerson(ctx, p)
}

// DeletePerson implements store.People.
func (s confined) DeletePerson(ctx context.Context, id string) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.DeletePerson(ctx, id)
}

// PeopleVersion implements store.People.
func (s confined) PeopleVersion(ctx context.Context) (int64, error) { return s.all.PeopleVersion(ctx) }

// SessionByHash implements store.People.
func (s confined) SessionByHash(ctx context.Context, hash string) (*store.Session, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.SessionByHash(ctx, hash)
}

// Sessions implements store.People.
func (s confined) Sessions(ctx context.Context, person string) ([]store.Session, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Sessions(ctx, person)
}

// PutSession implements store.People.
func (s confined) PutSession(ctx context.Context, x store.Session) (*store.Session, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.PutSession(ctx, x)
}

// TouchSession implements store.People.
func (s confined) TouchSession(ctx context.Context, id string, seen, idleUntil time.Time) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.TouchSession(ctx, id, seen, idleUntil)
}

// PutCeremony implements store.Ceremonies.
func (s confined) PutCeremony(ctx context.Context, c store.Ceremony) (*store.Ceremony, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.PutCeremony(ctx, c)
}

// TakeCeremony implements store.Ceremonies.
func (s confined) TakeCeremony(ctx context.Context, now time.Time, hash string) (*store.Ceremony, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.TakeCeremony(ctx, now, hash)
}

// TouchPasskey implements store.Ceremonies.
func (s confined) TouchPasskey(ctx context.Context, person string, before, after store.Passkey) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.TouchPasskey(ctx, person, before, after)
}

// DeleteSession implements store.People.
func (s confined) DeleteSession(ctx context.Context, id string) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.DeleteSession(ctx, id)
}

// DeleteSessions implements store.People.
func (s confined) DeleteSessions(ctx context.Context, person, except string) (int, error) {
	if err := forOthers(ctx); err != nil {
		return 0, err
	}
	return s.all.DeleteSessions(ctx, person, except)
}

// InvitationByHash implements store.People.
func (s confined) InvitationByHash(ctx context.Context, hash string) (*store.Invitation, error) {
	if forOthers(ctx) != nil {
		return nil, store.ErrNotFound
	}
	return s.all.InvitationByHash(ctx, hash)
}

// Invitations implements store.People.
func (s confined) Invitations(ctx context.Context, person string) ([]store.Invitation, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Invitations(ctx, person)
}

// PutInvitation implements store.People.
func (s confined) PutInvitation(ctx context.Context, i store.Invitation) (*store.Invitation, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.PutInvitation(ctx, i)
}

// Redeem implements store.People.
func (s confined) Redeem(ctx context.Context, now time.Time, hash string, p store.Person) (*store.Person, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Redeem(ctx, now, hash, p)
}

// PurgePeople implements store.People.
func (s confined) PurgePeople(ctx context.Context, now time.Time) (int, error) {
	if err := forOthers(ctx); err != nil {
		return 0, err
	}
	return s.all.PurgePeople(ctx, now)
}

// AuditEntries implements store.Audit.
// An operator sees what they did, and what others did with what is theirs; from
// where the others did it is not theirs to know.
func (s confined) AuditEntries(ctx context.Context, r store.AuditRequest) (store.AuditPage, error) {
	owner := caller(ctx).owner()
	if owner == "" {
		return s.all.AuditEntries(ctx, r)
	}
	objects, err := s.ownObjects(ctx)
	if err != nil {
		return store.AuditPage{}, err
	}
	r.Of = &store.AuditScope{Person: owner, Objects: objects}
	page, err := s.all.AuditEntries(ctx, r)
	for i := range page.Entries {
		if a := &page.Entries[i].Actor; a.Person != owner {
			a.Address, a.Program, a.Key = "", "", ""
		}
	}
	return page, err
}

// ownObjects are the ids of what the operator has: connections, keys, webhooks.
func (s confined) ownObjects(ctx context.Context) ([]string, error) {
	ids, _, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := s.APIKeys(ctx, "")
	if err != nil {
		return nil, err
	}
	hooks, err := s.Webhooks(ctx)
	for i := range keys {
		ids = append(ids, keys[i].ID)
	}
	for i := range hooks {
		ids = append(ids, hooks[i].ID)
	}
	return ids, err
}

// AppendAudit implements store.Audit: everyone enters what they did themselves.
func (s confined) AppendAudit(ctx context.Context, e store.AuditEntry) error {
	return s.all.AppendAudit(ctx, e)
}

// PurgeAudit implements store.Audit.
func (s confined) PurgeAudit(ctx context.Context, before time.Time, most int) (int, error) {
	if err := forOthers(ctx); err != nil {
		return 0, err
	}
	return s.all.PurgeAudit(ctx, before, most)
}

// Alerts implements store.Alerts: they name connections of all.
func (s confined) Alerts(ctx context.Context) ([]store.Alert, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Alerts(ctx)
}

// PutAlert implements store.Alerts.
func (s confined) PutAlert(ctx context.Context, a store.Alert, ev ...store.NewEvent) (*store.Alert, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.PutAlert(ctx, a, ev...)
}

// DeleteAlert implements store.Alerts.
func (s confined) DeleteAlert(ctx context.Context, id string) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.DeleteAlert(ctx, id)
}
