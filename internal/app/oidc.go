package app

import (
	"crypto/tls"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/oidc"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
)

// external is how people sign in by an identity provider, as the configuration says.
func (s *server) external() (people.External, error) {
	c := &s.conf.HTTP.OIDC
	if !c.On() {
		return people.External{}, nil
	}
	secret, err := c.Secret()
	if err != nil {
		return people.External{}, exit(ExitConfig, err)
	}
	proxies := adapters.NewProxies()
	return people.External{Issuer: c.Issuer, CreateRole: store.Role(c.CreateRole), Domains: c.Domains,
		Provider: oidc.New(oidc.Options{Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: secret,
			Redirect: strings.TrimSuffix(s.conf.HTTP.PublicURL, "/") + "/login/oidc/callback",
			Transport: &http.Transport{Proxy: proxies.For, OnProxyConnectResponse: proxies.Refused, ForceAttemptHTTP2: true,
				TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 10 * time.Second,
				IdleConnTimeout: time.Minute}})}, nil
}
