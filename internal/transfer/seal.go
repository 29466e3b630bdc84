package transfer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// maxSealed bounds what is opened: a connection with keys has some kilobytes.
const maxSealed = 1 << 20

// Recipients reads public keys of age ("age1…", as age-keygen prints them).
func Recipients(keys []string) ([]age.Recipient, error) {
	var out []age.Recipient
	for _, key := range keys {
		r, err := age.ParseRecipients(strings.NewReader(key))
		if err != nil {
			return nil, texterr.New(mime.NewText("transfer.not_a_recipient",
				"{key} is no public key of age: give the one that age-keygen prints, which begins with age1", "key",
				strconv.Quote(shortened(key))))
		}
		out = append(out, r...)
	}
	return out, nil
}

// Identities reads private keys of age, one a line, as age-keygen writes them. The
// error tells nothing of them.
func Identities(content []byte) ([]age.Identity, error) {
	out, err := age.ParseIdentities(bytes.NewReader(content))
	if err != nil {
		return nil, texterr.New(mime.NewText("transfer.not_an_identity",
			"this is no file of private keys of age: give the one that age-keygen wrote (a line that begins with AGE-SECRET-KEY-), "+
				"decrypted where it has a passphrase"))
	}
	return out, nil
}

// seal returns the whole connection, secrets included, for the recipients alone:
// who opens it sees where the secrets went, so that they go nowhere else.
func seal(c *gateway.Connection, to []age.Recipient) (string, error) {
	doc, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	tree, err := revealed(doc, c)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(tree)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to...)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(plain); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// open opens what seal sealed; nil where the secrets are not wanted. The cause of a
// failure is left out: it could quote what is inside.
func (o Options) open(sealed string) (*gateway.Connection, error) {
	if o.WithoutSecrets {
		return nil, nil
	}
	if len(o.Identities) == 0 {
		return nil, texterr.New(mime.NewText("transfer.no_identity",
			"the secrets are sealed: give the private key of age that opens them (--identity FILE), or leave them out (--without-secrets)"))
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(sealed), ""))
	if err != nil {
		return nil, texterr.New(mime.NewText("transfer.sealed_corrupt", "the sealed secrets are cut or changed: export them again"))
	}
	r, err := age.Decrypt(bytes.NewReader(raw), o.Identities...)
	if err != nil {
		return nil, texterr.New(mime.NewText("transfer.sealed_for_others",
			"the sealed secrets do not open with this private key: they were sealed for another one, or changed"))
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxSealed))
	if err != nil {
		return nil, texterr.New(mime.NewText("transfer.sealed_corrupt", "the sealed secrets are cut or changed: export them again"))
	}
	c, err := gateway.DecodeShown(plain)
	if err != nil {
		return nil, texterr.New(mime.NewText("transfer.sealed_corrupt", "the sealed secrets are cut or changed: export them again"))
	}
	return c, nil
}
