package tokens

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// parseCertificate reads a certificate with its key from PEM (blocks in any
// order) or PFX. The certificate of the key comes first, the chain after it.
func parseCertificate(data []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	var (
		certs []*x509.Certificate
		keys  []crypto.PrivateKey
		err   error
	)
	data = adapters.PlainText(data)
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		certs, keys, err = parsePEM(data)
	} else {
		certs, keys, err = parsePFX(data, password)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(certs) == 0 {
		return nil, nil, certificateError(mime.NewText("token.holds_no_certificate", "holds no certificate"))
	}
	if len(keys) == 0 {
		return nil, nil, certificateError(mime.NewText("token.holds_no_private_key", "holds no private key"))
	}
	if len(keys) > 1 {
		return nil, nil, certificateError(mime.NewText("token.several_keys", "holds more than one private key"))
	}
	key, ok := keys[0].(*rsa.PrivateKey)
	if !ok { // contracts A2.1: PS256
		return nil, nil, certificateError(mime.NewText("token.key_not_rsa", "has a key that is not RSA, which Entra does not take"))
	}
	for i, c := range certs {
		if key.PublicKey.Equal(c.PublicKey) {
			certs[0], certs[i] = certs[i], certs[0]
			return certs, key, nil
		}
	}
	return nil, nil, certificateError(mime.NewText("token.key_of_no_certificate",
		"holds a private key that belongs to none of its certificates"))
}

func parsePEM(data []byte) (certs []*x509.Certificate, keys []crypto.PrivateKey, err error) {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return certs, keys, nil
		}
		if b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "" {
			return nil, nil, certificateError(mime.NewText("token.holds_encrypted_key", "holds an encrypted key"))
		}
		var key crypto.PrivateKey
		var cert *x509.Certificate
		switch b.Type {
		case "CERTIFICATE":
			cert, err = x509.ParseCertificate(b.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		default:
			continue // parameters, trust settings
		}
		if err != nil {
			return nil, nil, certificateError(mime.NewText("token.holds_block_corrupt", "holds a block {type} that is corrupt", "type", b.Type))
		}
		if cert != nil {
			certs = append(certs, cert)
		}
		if key != nil {
			keys = append(keys, key)
		}
	}
}

func certificateError(fault adapters.Text) error {
	return misconfigured("certificate_file",
		mime.NewText("token.certificate_file", "the certificate file {fault}", "fault", fault),
		mime.NewText("token.certificate_file_hint",
			"give one file with the certificate and its unencrypted RSA key as PEM, or a PFX with its password"))
}
