package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/clientcert"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/script"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
)

// A certificateService makes the client certificates of connections, and the
// scripts that an administrator runs at the provider.
type certificateService struct {
	*connectionService
	prove func(context.Context, *adapters.Connection) error // Options.ProveToken
}

func (s *certificateService) routes(rt *router) {
	register(rt, op("list-certificates", http.MethodGet, "/v1/connections/{id}/certificate", connectionsTag, ScopeConnectionsRead,
		"Show the certificates of a connection", "Those that the gateway made for Microsoft 365: their public parts."), s.list)
	create := op("create-certificate", http.MethodPost, "/v1/connections/{id}/certificate", connectionsTag, ScopeConnectionsWrite,
		"Make a certificate", "Makes a key, which is sealed with the connection and never shown, and a certificate beside the credential in "+
			"use. Upload its public part, then activate it.")
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.create)
	fresh := op("create-connection-with-certificate", http.MethodPost, "/v1/connections/certificate", connectionsTag, ScopeConnectionsWrite,
		"Create a connection with a certificate", "For Microsoft 365: the connection comes without a credential, and gets a certificate: "+
			"its key is sealed with the connection and never shown. It is stored switched off: run its scripts, then activate the certificate.")
	fresh.DefaultStatus, fresh.Metadata["body"] = http.StatusCreated, rt.connectionSchema()
	register(rt, fresh, s.createWithCertificate)
	register(rt, op("activate-certificate", http.MethodPost, "/v1/connections/{id}/certificate/activate", connectionsTag,
		ScopeConnectionsWrite, "Switch to the new certificate", "Gets a token with the certificate that waits. Where that succeeds it "+
			"takes over and the old credential is dropped; otherwise nothing changes."), s.activate)
	register(rt, op("get-script", http.MethodGet, "/v1/connections/{id}/script", connectionsTag, ScopeConnectionsRead,
		"Get the script that allows a connection to send", "PowerShell for entra and exchange, bash for google, with the connection's own "+
			"values and no secret."), s.script)
	given := op("get-script-for-settings", http.MethodPost, "/v1/connections/script", connectionsTag, ScopeConnectionsRead,
		"Get the script for a connection that is not stored", "It may lack values, as the client id of an application that the script "+
			"makes. Nothing is stored.")
	given.Metadata["body"] = rt.connectionSchema()
	register(rt, given, s.scriptFor)
}

// A CertificateList is the certificates of a connection.
type CertificateList struct {
	Items []view.Certificate `json:"items"`
}

func (s *certificateService) list(ctx context.Context, in *ConnectionPath) (*bodyOf[CertificateList], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all, err := clientcert.Certificates(&c.Connection)
	if err != nil {
		return nil, certificateFault(err)
	}
	return &bodyOf[CertificateList]{CertificateList{view.OfCertificates(all)}}, nil
}

type certificateInput struct {
	ConnectionPath
	Body struct {
		Days int `json:"days,omitempty" minimum:"1" maximum:"1095" default:"365" doc:"Of validity"`
	}
}

func (s *certificateService) create(ctx context.Context, in *certificateInput) (*bodyOf[view.Certificate], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	next, _, err := clientcert.Begin(c, in.Body.Days, s.now())
	if err != nil {
		return nil, certificateFault(err)
	}
	if _, err := s.putConnection(ctx, next, c); err != nil {
		return nil, err
	}
	all, err := clientcert.Certificates(&next.Connection)
	if err != nil {
		return nil, certificateFault(err)
	}
	shown := view.OfCertificates(all)
	return &bodyOf[view.Certificate]{shown[len(shown)-1]}, nil
}

func (s *certificateService) activate(ctx context.Context, in *ConnectionPath) (*bodyOf[view.Connection], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	next, err := clientcert.Promote(c)
	if err != nil {
		return nil, certificateFault(err)
	}
	if err := s.prove(ctx, &next.Connection); err != nil {
		e := adapters.AsError(err)
		return nil, fail(http.StatusUnprocessableEntity, "invalid_connection", "", e.Message, e.Hint)
	}
	return s.putConnection(ctx, next, c)
}

// createWithCertificate stores a connection with a credential that is made here.
func (s *certificateService) createWithCertificate(ctx context.Context, in *ConnectionDoc) (*bodyOf[view.Connection], error) {
	if err := bounded(in.RawBody); err != nil {
		return nil, err
	}
	c, err := gateway.DecodeShown(in.RawBody)
	if err != nil {
		return nil, invalidConnection(err)
	}
	off := false
	c.Active = &off
	if err := s.allowed(ctx, c); err != nil {
		return nil, err
	}
	next, _, err := clientcert.Begin(c, clientcert.DefaultDays, s.now())
	if err != nil {
		return nil, certificateFault(err)
	}
	if e := clientcert.EntraOf(&next.Connection); e.CertificateNext != "" {
		return nil, fail(http.StatusUnprocessableEntity, "invalid_connection", "",
			text("api.has_credential", "the connection has a credential already"),
			text("api.has_credential_hint", "leave it out: a certificate is made"))
	}
	return s.putConnection(ctx, next, nil)
}

type scriptInput struct {
	ConnectionPath
	For string `query:"for" required:"true" enum:"entra,exchange,google"`
}

type scriptForInput struct {
	For      string `query:"for" required:"true" enum:"entra,exchange,google"`
	Language string `header:"Accept-Language"`
	ConnectionDoc
}

// A Script is commands to run at the provider.
type Script struct {
	For    string `json:"for"`
	Script string `json:"script"`
}

func (s *certificateService) script(ctx context.Context, in *scriptInput) (*bodyOf[Script], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return writeScript(c, in.For, language(in.Language))
}

func (s *certificateService) scriptFor(_ context.Context, in *scriptForInput) (*bodyOf[Script], error) {
	c, err := gateway.DecodeShown(in.RawBody)
	if err != nil {
		return nil, invalidConnection(err)
	}
	return writeScript(c, in.For, language(in.Language))
}

func writeScript(c *gateway.Connection, target, lang string) (*bodyOf[Script], error) {
	values, err := script.Of(c)
	if err != nil {
		return nil, certificateFault(err)
	}
	text, err := script.Write(script.Target(target), values, lang)
	if err != nil {
		return nil, certificateFault(err)
	}
	return &bodyOf[Script]{Script{target, text}}, nil
}

// certificateFault reports a connection that the operation does not fit.
func certificateFault(err error) error {
	var t *texterr.Error
	if !errors.As(err, &t) {
		return invalidConnection(err)
	}
	return fail(http.StatusUnprocessableEntity, "invalid_connection", "", t.Text, adapters.Text{})
}
