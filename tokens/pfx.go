package tokens

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 7292 appendix B: what a PFX without a MAC is completed with; nothing relies on it
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/postino-mail/postino/mime"
)

// parsePFX reads a PFX file: binary, or in base64 as Azure Key Vault returns it;
// with or without a MAC.
func parsePFX(data []byte, password string) ([]*x509.Certificate, []crypto.PrivateKey, error) {
	data = unarmoured(data)
	key, cert, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil && password != "" && !errors.Is(err, pkcs12.ErrIncorrectPassword) {
		if completed, ok := withMAC(data, password); ok { // the library takes one without a MAC only with an empty password
			if key, cert, chain, err = pkcs12.DecodeChain(completed, password); err != nil {
				if k, c, ch, plainErr := pkcs12.DecodeChain(data, ""); plainErr == nil { // neither MAC nor encryption
					key, cert, chain, err = k, c, ch, nil
				} else { // one in 256 wrong passwords decrypts to something without being found out
					err = pkcs12.ErrIncorrectPassword
				}
			}
		}
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		return nil, nil, misconfigured("certificate_password",
			mime.NewText("token.certificate_password", "the password of the certificate file is wrong"),
			mime.NewText("token.certificate_password_hint",
				"set certificate_password to the password that the PFX was exported with"))
	}
	if err != nil {
		return nil, nil, certificateError(mime.NewText("token.neither_pem_nor_pfx", "is neither PEM nor a readable PFX"))
	}
	return append([]*x509.Certificate{cert}, chain...), []crypto.PrivateKey{key}, nil
}

// unarmoured is data decoded where it is base64 text.
func unarmoured(data []byte) []byte {
	text := bytes.TrimSpace(data)
	if len(text) == 0 || text[0] == 0x30 && len(data) > 1 && data[1] >= 0x80 { // an ASN.1 sequence
		return data
	}
	bin, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil || len(bin) == 0 || bin[0] != 0x30 {
		return data
	}
	return bin
}

type pfxDER struct {
	Version  int
	AuthSafe asn1.RawValue
	MAC      asn1.RawValue `asn1:"optional"`
}

type macDER struct {
	Digest struct {
		Algorithm struct {
			ID         asn1.ObjectIdentifier
			Parameters asn1.RawValue
		}
		Value []byte
	}
	Salt       []byte
	Iterations int
}

// withMAC adds the MAC that a PFX lacks (RFC 7292 section 4), so that the
// library, which insists on one, reads it. It reports whether one was missing.
func withMAC(data []byte, password string) ([]byte, bool) {
	var p pfxDER
	rest, err := asn1.Unmarshal(data, &p)
	if err != nil || len(rest) > 0 || len(p.MAC.FullBytes) > 0 {
		return nil, false
	}
	var safe struct {
		ID      asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(p.AuthSafe.FullBytes, &safe); err != nil {
		return nil, false
	}
	var content []byte
	if _, err := asn1.Unmarshal(safe.Content.Bytes, &content); err != nil {
		return nil, false
	}
	var mac macDER
	mac.Digest.Algorithm.ID = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26} // SHA-1
	mac.Digest.Algorithm.Parameters = asn1.NullRawValue
	mac.Salt, mac.Iterations = make([]byte, 8), 1
	h := hmac.New(sha1.New, macKey(password, mac.Salt))
	h.Write(content)
	mac.Digest.Value = h.Sum(nil)
	der, err := asn1.Marshal(mac)
	if err != nil {
		return nil, false
	}
	p.MAC = asn1.RawValue{FullBytes: der}
	out, err := asn1.Marshal(p)
	return out, err == nil
}

// macKey is RFC 7292 appendix B.2 for ID 3, SHA-1, one iteration and a key of
// the digest's size, which needs a single block.
func macKey(password string, salt []byte) []byte {
	const v = 64 // block size of SHA-1
	var pass []byte
	for _, u := range append(utf16.Encode([]rune(password)), 0) {
		pass = append(pass, byte(u>>8), byte(u))
	}
	fill := func(b []byte) []byte {
		var out []byte
		for len(out) < v*((len(b)+v-1)/v) {
			out = append(out, b...)
		}
		return out[:v*((len(b)+v-1)/v)]
	}
	h := sha1.New() //nolint:gosec // see above
	h.Write(bytes.Repeat([]byte{3}, v))
	h.Write(fill(salt))
	h.Write(fill(pass))
	return h.Sum(nil)
}
