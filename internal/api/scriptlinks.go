package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/script"
	"github.com/postino-mail/postino/internal/view"
)

type (
	scriptLinkInput struct {
		Body struct {
			Connection string         `json:"connection,omitempty" maxLength:"200" doc:"Name or id of a connection that is stored"`
			Settings   map[string]any `json:"settings,omitempty" doc:"Of one that is not: what its scripts show of it is kept, and no secret"`
		}
	}
	scriptLinkLookUp struct {
		Language string `header:"Accept-Language"`
		Body     struct {
			Token string `json:"token" minLength:"1" maxLength:"200" doc:"Of the link"`
		}
	}
)

// LinkedScripts are what a link shows.
type LinkedScripts struct {
	Name      string    `json:"name" doc:"Of the connection"`
	ExpiresAt time.Time `json:"expires_at"`
	Scripts   []Script  `json:"scripts"`
}

// A scriptLinkService makes links for administrators of tenants, who have no account here.
type scriptLinkService struct {
	*signInService
	connections *connectionService
	publicURL   string
}

func (s *scriptLinkService) routes(rt *router) {
	create := s.byBrowser(op("create-script-link", http.MethodPost, "/v1/me/script-links", peopleTag, scopeSession,
		"Make a link to the scripts of a connection", "For the administrator of the tenant, who needs no account: it shows the scripts with "+
			"the connection's own values of this moment, and no secret. It is good for a week, until it is revoked or its person is disabled."))
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.create)
	register(rt, s.byBrowser(op("revoke-script-link", http.MethodDelete, "/v1/me/script-links/{id}", peopleTag, scopeSession,
		"Revoke a link to scripts", "GET /v1/me has the links that are good.")), s.revoke)
	register(rt, s.byBrowser(op("look-at-script-link", http.MethodPost, "/v1/script-links/look-up", peopleTag, "",
		"See the scripts of a link", "Needs the token of the link alone. It stays good.")), s.lookUp)
}

func (s *scriptLinkService) create(ctx context.Context, in *scriptLinkInput) (*bodyOf[view.ScriptLink], error) {
	c, err := s.connection(ctx, in)
	if err != nil {
		return nil, err
	}
	values, err := script.Of(c)
	if err != nil {
		return nil, certificateFault(err)
	}
	targets := script.Targets(c)
	if len(targets) == 0 {
		return nil, invalid("connection", text("api.script_link_none", "this connection needs no script"))
	}
	if _, err := script.Write(targets[0], values, locale.English); err != nil {
		return nil, certificateFault(err)
	}
	kept, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	token, link, err := s.people.MakeScriptLink(ctx, caller(ctx).person.ID, c.Name, kept)
	if err != nil {
		return nil, personError(err)
	}
	out := view.OfScriptLink(link)
	out.URL = strings.TrimSuffix(s.publicURL, "/") + "/scripts/" + token.Reveal()
	return &bodyOf[view.ScriptLink]{out}, nil
}

// connection is the one that the scripts are for.
func (s *scriptLinkService) connection(ctx context.Context, in *scriptLinkInput) (*gateway.Connection, error) {
	if (in.Body.Connection == "") == (in.Body.Settings == nil) {
		return nil, invalid("connection", text("api.script_link_which", "give either a connection or settings"))
	}
	if in.Body.Connection != "" {
		return s.connections.stored(ctx, in.Body.Connection)
	}
	doc, err := json.Marshal(in.Body.Settings)
	if err != nil {
		return nil, err
	}
	c, err := gateway.DecodeShown(doc)
	if err != nil {
		return nil, invalidConnection(err)
	}
	return c, nil
}

// scriptsOf are those that fit the values and lack none.
func scriptsOf(values script.Connection, lang string) []Script {
	out := []Script{}
	for _, target := range values.Fits() {
		if text, err := script.Write(target, values, lang); err == nil {
			out = append(out, Script{string(target), text})
		}
	}
	return out
}

func (s *scriptLinkService) revoke(ctx context.Context, in *sessionPath) (*noBody, error) {
	if err := s.people.RevokeScriptLink(ctx, caller(ctx).person.ID, in.ID); err != nil {
		return nil, personError(err)
	}
	return &noBody{}, nil
}

// lookUp shows what a link is for. Wrong tokens are counted as wrong passwords are.
func (s *scriptLinkService) lookUp(ctx context.Context, in *scriptLinkLookUp) (*bodyOf[LinkedScripts], error) {
	_, key, err := s.from(requestOf(ctx))
	if err != nil {
		return nil, err
	}
	end, err := s.auth.limiter.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	link, err := s.people.ScriptLink(ctx, adapters.Secret(in.Body.Token))
	end(errors.Is(err, people.ErrEnded))
	if err != nil {
		return nil, personError(err)
	}
	var values script.Connection
	if err := json.Unmarshal(link.Values, &values); err != nil {
		return nil, err
	}
	return &bodyOf[LinkedScripts]{LinkedScripts{Name: link.Name, ExpiresAt: link.ExpiresAt,
		Scripts: scriptsOf(values, language(in.Language))}}, nil
}
