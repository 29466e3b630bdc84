package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
)

type invitationInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"200" doc:"Of the link"`
	}
}

// An Invited person is for whom a link is.
type Invited struct {
	First    bool   `json:"first" doc:"The link makes the first administrator, who gives an address"`
	Email    string `json:"email,omitempty"`
	Name     string `json:"name,omitempty"`
	Language string `json:"language,omitempty"`
	Role     string `json:"role" enum:"admin,operator"`
}

func (s *signInService) invitationRoutes(rt *router) {
	register(rt, s.byBrowser(op("look-at-invitation", http.MethodPost, "/v1/invitations/look-up", peopleTag, "", "Look at an invitation",
		"For whom a link is. It stays good.")), s.invited)
}

// invited says for whom a link is. Wrong tokens are counted as wrong passwords are.
func (s *signInService) invited(ctx context.Context, in *invitationInput) (*bodyOf[Invited], error) {
	_, key, err := s.from(requestOf(ctx))
	if err != nil {
		return nil, err
	}
	end, err := s.auth.limiter.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	p, err := s.people.Invited(ctx, adapters.Secret(in.Body.Token))
	end(errors.Is(err, people.ErrEnded))
	if err != nil {
		return nil, personError(err)
	}
	return &bodyOf[Invited]{ofInvited(p)}, nil
}

func ofInvited(p *store.Person) Invited {
	return Invited{First: p.ID == "", Email: p.Email, Name: p.Name, Language: p.Language, Role: string(p.Role)}
}
