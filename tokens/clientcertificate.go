package tokens

import (
	"crypto/x509"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/tokens/credential"
)

// ClientCertificate reads the certificate with which the tokens of a connection
// are requested, its own or that of its file as it is now, so that its end can be watched. It is nil
// where the connection uses another credential. The error is an *adapters.Error.
func ClientCertificate(c *adapters.Connection) (*x509.Certificate, error) {
	holder, ok := c.Settings.(credential.Holder)
	if !ok {
		return nil, nil
	}
	for _, audience := range holder.Audiences() {
		entra, ok := holder.Credential(audience).(*credential.Entra)
		if !ok || entra.Certificate == "" && entra.CertificateFile == "" {
			continue
		}
		data := []byte(entra.Certificate.Reveal())
		if len(data) == 0 {
			var err error
			if data, err = readCredentialFile(entra.CertificateFile); err != nil {
				return nil, err
			}
		}
		certs, _, err := parseCertificate(data, entra.CertificatePassword.Reveal())
		if err != nil {
			return nil, err
		}
		return certs[0], nil
	}
	return nil, nil
}
