package entra

import (
	"crypto/x509"
	"strings"
	"time"
)

// A Registration is what Graph shows of an application's credentials.
type Registration struct {
	Secrets      []RegisteredSecret
	Certificates []*x509.Certificate
}

// A RegisteredSecret is a client secret without its value.
type RegisteredSecret struct {
	Name        string
	Hint        string // its first three characters
	Begin, Ends time.Time
}

// Registration is that of an application; nil: the directory has none of this id.
// ClientSecret ends when the switch SecretLeft says, counted from the start of the sandbox.
func (e *Server) Registration(appID string) (*Registration, error) {
	if _, ok := e.apps[strings.ToLower(appID)]; !ok {
		return nil, nil
	}
	certificates, err := e.registered()
	if err != nil {
		return nil, err
	}
	now := e.started.Truncate(time.Second)
	const year = 365 * 24 * time.Hour
	ends := now.Add(e.core.Switches().SecretLeft)
	return &Registration{Certificates: certificates, Secrets: []RegisteredSecret{
		{Name: "postino", Hint: ClientSecret[:3], Begin: ends.Add(-year), Ends: ends},
		{Name: "the one before", Hint: ExpiredSecret[:3], Begin: now.Add(-2 * year), Ends: now.Add(-year)},
	}}, nil
}
