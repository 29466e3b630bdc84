// Package clientcert makes the certificates with which the gateway proves itself
// to Microsoft Entra. The private key is only ever in the sealed secret.
package clientcert

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // Entra's portal shows SHA-1 thumbprints
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Days of validity that can be chosen.
const (
	DefaultDays = 365
	MaxDays     = 3 * 365
)

const keyBits = 3072 // contracts A2.1: PS256 needs RSA

// newPair makes a key and a self-signed certificate for a connection, valid from an
// hour before now, because clocks differ. The secret is PEM, certificate and key.
func newPair(name string, days int, now time.Time) (adapters.Secret, error) {
	if days < 1 || days > MaxDays {
		return "", fmt.Errorf("clientcert: %d days of validity", days)
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return "", err
	}
	from := now.Add(-time.Hour).UTC().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: commonName(name)},
		NotBefore: from, NotAfter: from.AddDate(0, 0, days), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for _, block := range []*pem.Block{{Type: blockType, Bytes: der}, {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := pem.Encode(&b, block); err != nil {
			return "", err
		}
	}
	return adapters.Secret(b.String()), nil
}

const blockType = "CERTIFICATE"

// commonName is what the portal shows; X.520 allows 64 characters.
func commonName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8("postino "+name, ""))
	r := []rune(name)
	return string(r[:min(len(r), 64)])
}

// A Public is what of a certificate may be shown.
type Public struct{ certificate *x509.Certificate }

// Of returns the public part of a secret of New, or of a PEM file like it.
func Of(secret adapters.Secret) (Public, error) {
	for rest := []byte(secret.Reveal()); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return Public{}, errors.New("clientcert: there is no certificate")
		}
		if block.Type != blockType {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Public{}, errors.New("clientcert: the certificate is corrupt") // its own words could quote the content
		}
		return Public{c}, nil
	}
}

// DER is the .cer file that is uploaded.
func (p Public) DER() []byte { return p.certificate.Raw }

// PEM is the same as text.
func (p Public) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: p.certificate.Raw}))
}

// Thumbprint is the one that the portal shows.
func (p Public) Thumbprint() string {
	sum := sha1.Sum(p.certificate.Raw) //nolint:gosec // as above
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// NotAfter is when it ends.
func (p Public) NotAfter() time.Time { return p.certificate.NotAfter }
