package clientcert

import (
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// EntraOf returns the application that a connection's tokens are requested
// with, or nil where it has none of Microsoft Entra.
func EntraOf(c *adapters.Connection) *credential.Entra {
	holder, ok := c.Settings.(credential.Holder)
	if !ok {
		return nil
	}
	for _, a := range holder.Audiences() {
		if e, ok := holder.Credential(a).(*credential.Entra); ok {
			return e
		}
	}
	return nil
}

// Begin returns a copy of a connection with a new certificate: beside the
// credential that it has, or in its place where it has none. c is not changed.
// The error has a text.
func Begin(c *gateway.Connection, days int, now time.Time) (*gateway.Connection, Public, error) {
	if days < 1 || days > MaxDays {
		return nil, Public{}, texterr.New(mime.NewText("clientcert.days", "a certificate is valid for 1 to {most} days", "most", MaxDays))
	}
	next := c.Clone()
	e := EntraOf(&next.Connection)
	if e == nil {
		return nil, Public{}, errNotEntra(c)
	}
	secret, err := newPair(c.Name, days, now)
	if err != nil {
		return nil, Public{}, err
	}
	public, err := Of(secret)
	if err != nil {
		return nil, Public{}, err
	}
	if e.ClientSecret == "" && e.Certificate == "" && e.CertificateFile == "" && e.FederatedTokenFile == "" && !e.ManagedIdentity {
		e.Certificate = secret
	} else {
		e.CertificateNext = secret
	}
	return next, public, next.Validate()
}

// Promote returns a copy of a connection as it is once its new certificate has
// taken over, switched on. c is not changed. The error has a text: there is
// nothing to take over.
func Promote(c *gateway.Connection) (*gateway.Connection, error) {
	next := c.Clone()
	e := EntraOf(&next.Connection)
	switch {
	case e == nil:
		return nil, errNotEntra(c)
	case e.CertificateNext != "":
		e.Certificate, e.CertificateNext = e.CertificateNext, ""
		e.ClientSecret, e.CertificateFile, e.CertificatePassword, e.FederatedTokenFile, e.ManagedIdentity = "", "", "", "", false
	case e.Certificate == "" || c.IsActive():
		return nil, texterr.New(mime.NewText("clientcert.nothing",
			"no new certificate waits: make one with 'postino connection certificate new'"))
	}
	if path := next.RedactedSecret(); path != "" {
		return nil, texterr.New(mime.NewText("clientcert.closed", "{field} does not open with the key of this store: make a new certificate",
			"field", path))
	}
	on := true
	next.Active = &on
	return next, next.Validate()
}

// A Shown is a certificate of a connection.
type Shown struct {
	Next bool // waits to take over
	Public
}

// Certificates returns those that postino keeps for a connection, the one in
// use first.
func Certificates(c *adapters.Connection) ([]Shown, error) {
	e := EntraOf(c)
	if e == nil {
		return nil, nil
	}
	var out []Shown
	for i, s := range []adapters.Secret{e.Certificate, e.CertificateNext} {
		if s == "" {
			continue
		}
		p, err := Of(s)
		if err != nil {
			return nil, err
		}
		out = append(out, Shown{i == 1, p})
	}
	return out, nil
}

func errNotEntra(c *gateway.Connection) error {
	return texterr.New(mime.NewText("clientcert.not_entra", "the connection {connection} has no application of Microsoft Entra", "connection",
		strconv.Quote(c.Name)))
}
