package tokens

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"golang.org/x/oauth2/jwt"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// defaultGoogleLife is assumed where Google does not tell expires_in.
const defaultGoogleLife = 5 * time.Minute

func googleScope(a adapters.Audience) string {
	if own, ok := ownScope(a); ok {
		return own
	}
	switch a {
	case adapters.AudienceGmailRead:
		return "https://www.googleapis.com/auth/gmail.readonly"
	case adapters.AudienceGmailSMTP:
		return "https://mail.google.com/" // contracts D3.2
	}
	return "https://www.googleapis.com/auth/gmail.send" // contracts C1.3
}

func googleWant(g credential.Google, subject string, a adapters.Audience) (want, error) {
	if subject == "" { // contracts C4: a service account without sub has no mailbox
		return want{}, misconfigured("no_subject",
			mime.NewText("google.no_subject",
				"the connection does not name the mailbox that the service account acts for"),
			mime.NewText("google.no_subject_hint", "set subject, or from, to the mailbox user's address"))
	}
	w := want{file: g.ServiceAccountFile, host: "oauth2.googleapis.com",
		key: key{issuer: "google", authority: g.TokenURL, subject: strings.ToLower(subject), scope: googleScope(a)}}
	if g.TokenURL != "" {
		w.host = hostOf(g.TokenURL)
	}
	if g.WithoutKey() {
		return keylessWant(w, g, subject), nil
	}
	switch {
	case g.ServiceAccountJSON != "":
		w.key.credential = "key:" + fingerprint(g.ServiceAccountJSON.Reveal())
	case g.ServiceAccountFile != "":
		w.key.credential = "file:" + g.ServiceAccountFile
	default:
		return want{}, misconfigured(adapters.CodeNoCredential,
			mime.NewText("google.no_credential", "the connection has no credential for Google"),
			mime.NewText("google.no_credential_hint", "give service_account_file or service_account_json, or keyless on Google Cloud"))
	}
	w.fetch = googleAccount{settings: g, subject: subject, scope: w.key.scope}.fetch
	return w, nil
}

// A googleAccount gets tokens for one mailbox user through a service account
// with domain-wide delegation (contracts C6).
type googleAccount struct {
	settings credential.Google
	subject  string
	scope    string
}

func (g googleAccount) fetch(ctx context.Context, x *exchange, _ bool) (string, time.Duration, error) {
	data := []byte(g.settings.ServiceAccountJSON.Reveal())
	if len(data) == 0 {
		var err error
		if data, err = readCredentialFile(g.settings.ServiceAccountFile); err != nil {
			return "", 0, err
		}
	}
	conf, err := googleConfig(data, g.settings.TokenURL, g.scope)
	if err != nil {
		return "", 0, err
	}
	conf.Subject = g.subject
	x.clientID = numericID(data)
	// The library takes its HTTP client from the context, drops the context
	// itself and hides transport errors (contracts C6.4, C6.6): x puts the
	// context back into the request and keeps what really happened.
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: x,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	t, err := conf.TokenSource(ctx).Token()
	if err != nil {
		return "", 0, err
	}
	if t.Expiry.IsZero() {
		return t.AccessToken, defaultGoogleLife, nil
	}
	return t.AccessToken, time.Until(t.Expiry), nil
}

// googleConfig reads a service account key. The token_uri in it is not
// trusted beyond Google's own hosts: whoever answers there gets an assertion
// that Google would take (contracts C6.7).
func googleConfig(data []byte, tokenURL, scope string) (*jwt.Config, error) {
	data = adapters.PlainText(data)
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &kind) != nil {
		return nil, keyFileError(mime.NewText("google.not_json", "is not the JSON key of a service account"))
	}
	if kind.Type == "authorized_user" { // what gcloud keeps for a person
		return nil, keyFileError(mime.NewText("google.authorized_user",
			"is the sign-in of a person (authorized_user), which cannot act for a mailbox"))
	}
	if kind.Type != "service_account" {
		return nil, keyFileError(mime.NewText("google.not_a_service_account",
			"is JSON, but not the key of a service account (type is not service_account)"))
	}
	conf, err := google.JWTConfigFromJSON(data, scope)
	if err != nil {
		return nil, keyFileError(mime.NewText("google.not_json", "is not the JSON key of a service account"))
	}
	if conf.Email == "" {
		return nil, keyFileError(mime.NewText("google.lacks_client_email", "lacks client_email"))
	}
	if !isRSAKey(conf.PrivateKey) && bytes.Contains(conf.PrivateKey, []byte(`\n`)) { // escaped twice on its way through a variable or a form
		conf.PrivateKey = bytes.ReplaceAll(bytes.ReplaceAll(conf.PrivateKey, []byte(`\r`), nil), []byte(`\n`), []byte("\n"))
	}
	if !isRSAKey(conf.PrivateKey) {
		return nil, keyFileError(mime.NewText("google.no_readable_private_key", "has no readable private_key"))
	}
	if tokenURL != "" {
		conf.TokenURL = tokenURL
	} else if !googleTokenURL(conf.TokenURL) {
		return nil, misconfigured("token_uri",
			mime.NewText("google.token_uri",
				"the service account key names a token_uri at {token_url}, which is not Google",
				"token_url", strconv.Quote(hostOf(conf.TokenURL))),
			mime.NewText("google.token_uri_hint",
				"download the key again from the Google Cloud console; for a proxy set token_url in the connection"))
	}
	conf.Audience = "" // the token URL; a field of that name in the file has no say
	return conf, nil
}

// numericID is the client id that domain-wide delegation is granted to; empty
// when the key file does not tell it.
func numericID(data []byte) string {
	var f struct {
		ClientID string `json:"client_id"`
	}
	if json.Unmarshal(data, &f) != nil || len(f.ClientID) > 30 || strings.Trim(f.ClientID, "0123456789") != "" {
		return ""
	}
	return f.ClientID
}

func googleTokenURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.User == nil && (u.Host == "oauth2.googleapis.com" || u.Host == "accounts.google.com")
}

func isRSAKey(data []byte) bool {
	if b, _ := pem.Decode(data); b != nil {
		data = b.Bytes
	}
	if _, err := x509.ParsePKCS1PrivateKey(data); err == nil {
		return true
	}
	k, err := x509.ParsePKCS8PrivateKey(data)
	_, ok := k.(*rsa.PrivateKey)
	return err == nil && ok
}

func keyFileError(fault adapters.Text) error {
	return misconfigured("service_account_key",
		mime.NewText("google.service_account_key", "the service account key {fault}", "fault", fault),
		mime.NewText("google.service_account_key_hint",
			"create a JSON key for the service account in the Google Cloud console (IAM > Service accounts > Keys) "+
				"and give that file"))
}
