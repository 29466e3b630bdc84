package tokens

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/postino-mail/postino/adapters"
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
		return nil, nil, certificateError("holds no certificate", "non contiene un certificato")
	}
	if len(keys) == 0 {
		return nil, nil, certificateError("holds no private key", "non contiene la chiave privata")
	}
	if len(keys) > 1 {
		return nil, nil, certificateError("holds more than one private key", "contiene più di una chiave privata")
	}
	key, ok := keys[0].(*rsa.PrivateKey)
	if !ok { // contracts A2.1: PS256
		return nil, nil, certificateError("has a key that is not RSA, which Entra does not take", "ha una chiave non RSA, che Entra non accetta")
	}
	for i, c := range certs {
		if key.PublicKey.Equal(c.PublicKey) {
			certs[0], certs[i] = certs[i], certs[0]
			return certs, key, nil
		}
	}
	return nil, nil, certificateError("holds a private key that belongs to none of its certificates", "contiene una chiave privata che non è di nessuno dei suoi certificati")
}

func parsePEM(data []byte) (certs []*x509.Certificate, keys []crypto.PrivateKey, err error) {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return certs, keys, nil
		}
		if b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "" {
			return nil, nil, certificateError("holds an encrypted key", "contiene una chiave cifrata")
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
			return nil, nil, certificateError("holds a block "+b.Type+" that is damaged", "contiene un blocco "+b.Type+" danneggiato")
		}
		if cert != nil {
			certs = append(certs, cert)
		}
		if key != nil {
			keys = append(keys, key)
		}
	}
}

func certificateError(en, it string) error {
	return misconfigured("certificate_file", "the certificate file "+en, "il file del certificato "+it,
		"give one file with the certificate and its unencrypted RSA key as PEM, or a PFX with its password",
		"fornire un file con il certificato e la sua chiave RSA non cifrata in PEM, oppure un PFX con la password")
}
