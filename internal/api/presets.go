package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"

	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// A presetService shows the providers that are known by name, and finds that of
// an address.
type presetService struct {
	*testLimiter
	find     func(ctx context.Context, allowed []netip.Prefix, address string) (*presets.Detection, error)
	networks []netip.Prefix // Options.ConnectionNetworks
}

func (s *presetService) routes(rt *router) {
	register(rt, op("list-presets", http.MethodGet, "/v1/presets", connectionsTag, ScopeConnectionsRead, "List the known providers",
		"Host, port, encryption, login, limits and notes of providers, each with its source and the day it was read."), s.listPresets)
	register(rt, op("detect-connection", http.MethodPost, "/v1/connections/detect", connectionsTag, ScopeConnectionsWrite,
		"Find the provider of an address", "Asks Microsoft Entra, MX and SRV records, the domain's autoconfig file and Thunderbird's "+
			"collection, in at most 5 seconds. Servers without a public address are asked for an administrator alone, or in the "+
			"networks of [connections] networks. Nothing is stored."), s.detect)
}

// A PresetList is the presets.
type PresetList struct {
	Items []view.Preset `json:"items"`
}

func (s *presetService) listPresets(_ context.Context, in *struct {
	Language string `header:"Accept-Language"`
}) (*bodyOf[PresetList], error) {
	all, err := presets.All()
	if err != nil {
		return nil, err
	}
	out := PresetList{Items: make([]view.Preset, len(all))}
	for i, p := range all {
		out.Items[i] = view.OfPreset(p, language(in.Language))
	}
	return &bodyOf[PresetList]{out}, nil
}

type detectInput struct {
	Language string `header:"Accept-Language"`
	Body     struct {
		Address string `json:"address" maxLength:"320" example:"erp@contoso.it" doc:"The address that is to send"`
	}
}

func (s *presetService) detect(ctx context.Context, in *detectInput) (*bodyOf[view.Detection], error) {
	allowed := s.networks
	if caller(ctx).admin() {
		allowed = presets.Everywhere()
	}
	leave, err := s.enter(caller(ctx).quotaKey())
	if err != nil {
		return nil, err
	}
	defer leave()
	d, err := s.find(ctx, allowed, in.Body.Address)
	if err != nil {
		return nil, badDetection(err)
	}
	return &bodyOf[view.Detection]{view.OfDetection(d, language(in.Language))}, nil
}

// detectWith asks the system's resolver, and servers in the networks that are allowed.
func detectWith(ctx context.Context, allowed []netip.Prefix, address string) (*presets.Detection, error) {
	return presets.Detect(ctx, net.DefaultResolver, presets.NewClient(allowed), address)
}

// badDetection reports an address that is none.
func badDetection(err error) error {
	var m *mime.Error
	var t *texterr.Error
	hint := text("api.detect_hint", "enter the whole address that is to send, such as erp@contoso.it")
	switch {
	case errors.As(err, &m):
		return fail(http.StatusUnprocessableEntity, "invalid_request", "address", m.Message, hint)
	case errors.As(err, &t):
		return fail(http.StatusUnprocessableEntity, "invalid_request", "address", t.Text, hint)
	}
	return err
}
