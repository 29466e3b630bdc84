package people

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// Bounds of the links to scripts that a person makes.
const (
	scriptLinkLife   = 7 * 24 * time.Hour
	maxScriptLinks   = 20
	scriptLinkPrefix = "pl_"
)

// MakeScriptLink makes a link of the person to scripts with these values, good for a
// week. The error may be a *FieldError.
func (s *Service) MakeScriptLink(ctx context.Context, person, name string, values json.RawMessage) (adapters.Secret, *store.ScriptLink,
	error) {
	now := store.Micro(s.now())
	token := vault.NewKey(scriptLinkPrefix)
	link := store.ScriptLink{ID: vault.HashKey(token), Name: name, Values: values, CreatedAt: now, ExpiresAt: now.Add(scriptLinkLife)}
	_, err := s.Change(ctx, person, func(p *store.Person) error {
		p.ScriptLinks = slices.DeleteFunc(p.ScriptLinks, func(l store.ScriptLink) bool { return !now.Before(l.ExpiresAt) })
		if len(p.ScriptLinks) >= maxScriptLinks {
			return &FieldError{"script_links", mime.NewText("people.script_links_full",
				"a person has {max} links to scripts at most: revoke one first", "max", maxScriptLinks)}
		}
		p.ScriptLinks = append(p.ScriptLinks, link)
		return nil
	})
	return token, &link, err
}

// ScriptLinks returns those of the person that are good.
func (s *Service) ScriptLinks(ctx context.Context, person string) ([]store.ScriptLink, error) {
	p, err := s.store.Person(ctx, person)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(p.ScriptLinks, func(l store.ScriptLink) bool { return !s.now().Before(l.ExpiresAt) }), nil
}

// RevokeScriptLink takes the link with the id from the person; store.ErrNotFound: they
// have none.
func (s *Service) RevokeScriptLink(ctx context.Context, person, id string) error {
	_, err := s.Change(ctx, person, func(p *store.Person) error {
		i := slices.IndexFunc(p.ScriptLinks, func(l store.ScriptLink) bool { return l.ID == id })
		if i < 0 {
			return store.ErrNotFound
		}
		p.ScriptLinks = slices.Delete(p.ScriptLinks, i, i+1)
		return nil
	})
	return err
}

// ScriptLink returns the link that a token opens. ErrEnded: it is good no more, was
// revoked, or its person is disabled.
func (s *Service) ScriptLink(ctx context.Context, token adapters.Secret) (*store.ScriptLink, error) {
	all, err := s.store.People(ctx)
	if err != nil {
		return nil, err
	}
	id := vault.HashKey(token)
	for i := range all {
		for j := range all[i].ScriptLinks {
			if l := &all[i].ScriptLinks[j]; l.ID == id && s.now().Before(l.ExpiresAt) && !all[i].Disabled {
				return l, nil
			}
		}
	}
	return nil, ErrEnded
}
