package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google/externalaccount"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// A step of a fetch that takes several requests.
type step int

const (
	stepToken      step = iota // the token itself
	stepMetadata               // the identity of this machine
	stepFederation             // that of another platform
	stepSign                   // the assertion
)

// Without a key, Google signs the assertion of contracts C6.2 (C6.10): whoever may sign
// for the service account asks with a token of their own (C6.11, C6.12), which has
// this scope.
const (
	iamScope    = "https://www.googleapis.com/auth/iam"
	iamHost     = "https://iamcredentials.googleapis.com"
	googleToken = "https://oauth2.googleapis.com/token"
	stsHost     = "sts.googleapis.com"
	metadata    = "metadata.google.internal"
	assertLife  = 55 * time.Minute // less than the hour of C6.2: the clocks need not agree
)

// keylessWant is how a token is got where Google signs.
func keylessWant(w want, g credential.Google, subject string) want {
	w.file = g.WorkloadIdentityFile
	w.key.credential = "keyless:" + fingerprint(g.WorkloadIdentityFile, g.ServiceAccount, g.IAMURL)
	w.fetch = keyless{settings: g, subject: subject, scope: w.key.scope}.fetch
	return w
}

// keyless gets tokens for one mailbox user as googleAccount does, without a key.
type keyless struct {
	settings credential.Google
	subject  string
	scope    string
}

func (k keyless) fetch(ctx context.Context, x *exchange, _ bool) (string, time.Duration, error) {
	identity, account, err := k.identity(ctx, x)
	if err != nil {
		return "", 0, err
	}
	tokenURL := googleToken
	if k.settings.TokenURL != "" {
		tokenURL = k.settings.TokenURL
	}
	assertion, err := k.sign(ctx, x, identity, account, tokenURL)
	if err != nil {
		return "", 0, err
	}
	x.step = stepToken
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := x.post(ctx, tokenURL, "", "application/x-www-form-urlencoded", []byte(form.Encode()), &answer); err != nil {
		return "", 0, err
	}
	if answer.Seconds == 0 {
		return answer.Token, defaultGoogleLife, nil
	}
	return answer.Token, time.Duration(answer.Seconds) * time.Second, nil
}

// identity returns a token of whoever asks for the signature, and for which account.
func (k keyless) identity(ctx context.Context, x *exchange) (token, account string, err error) {
	if k.settings.WorkloadIdentityFile != "" {
		return k.federated(ctx, x)
	}
	x.step = stepMetadata
	if account = k.settings.ServiceAccount; account == "" {
		b, err := x.metadata(ctx, "email")
		if err != nil {
			return "", "", err
		}
		account = strings.TrimSpace(string(b))
	}
	b, err := x.metadata(ctx, "token?scopes="+url.QueryEscape(iamScope))
	if err != nil {
		return "", "", err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || !usableToken(answer.Token) {
		return "", "", errors.New("the metadata server's answer has no token")
	}
	return answer.Token, account, nil
}

// metadata asks the metadata server of Google Cloud, which answers for this machine
// alone, so that no proxy is asked (contracts C6.11).
func (x *exchange) metadata(ctx context.Context, what string) ([]byte, error) {
	host := metadata
	if own := x.getenv("GCE_METADATA_HOST"); own != "" {
		host = own
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+host+"/computeMetadata/v1/instance/service-accounts/default/"+what, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Metadata-Flavor", "Google")
	client := x.client
	x.client = x.direct
	defer func() { x.client = client }()
	resp, err := x.Do(req) //nolint:bodyclose // the body is in memory
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Metadata-Flavor") != "Google" { // something else answers by that name
		return nil, errors.New("the metadata server refuses")
	}
	return x.body, nil
}

// sign has Google sign the assertion for the account.
func (k keyless) sign(ctx context.Context, x *exchange, identity, account, tokenURL string) (string, error) {
	x.step, x.account = stepSign, account
	now := x.now()
	claims, err := json.Marshal(map[string]any{"iss": account, "sub": k.subject, "aud": tokenURL, "scope": k.scope, "iat": now.Unix(),
		"exp": now.Add(assertLife).Unix()})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]string{"payload": string(claims)})
	if err != nil {
		return "", err
	}
	base := iamHost
	if k.settings.IAMURL != "" {
		base = strings.TrimSuffix(k.settings.IAMURL, "/")
	}
	var answer struct {
		Signed string `json:"signedJwt"`
	}
	target := base + "/v1/projects/-/serviceAccounts/" + url.PathEscape(account) + ":signJwt"
	if err := x.post(ctx, target, identity, "application/json", body, &answer); err != nil {
		return "", err
	}
	return answer.Signed, nil
}

// post sends a request and reads the JSON of a good answer into out; failure tells of
// any other.
func (x *exchange) post(ctx context.Context, target, bearer, kind string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := x.Do(req) //nolint:bodyclose // the body is in memory
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// A federation is a configuration of workload identity federation, as gcloud writes it
// (contracts C6.12).
type federation struct {
	Type          string                            `json:"type"`
	Audience      string                            `json:"audience"`
	SubjectType   string                            `json:"subject_token_type"`
	TokenURL      string                            `json:"token_url"`
	Impersonation string                            `json:"service_account_impersonation_url"`
	Source        *externalaccount.CredentialSource `json:"credential_source"`
}

// federated returns the token that Google gives for the one of this machine's platform,
// and the account that the file or the connection names.
func (k keyless) federated(ctx context.Context, x *exchange) (token, account string, err error) {
	data, err := readCredentialFile(k.settings.WorkloadIdentityFile)
	if err != nil {
		return "", "", err
	}
	f, err := k.readFederation(data)
	if err != nil {
		return "", "", err
	}
	if account = k.settings.ServiceAccount; account == "" {
		account = accountOfURL(f.Impersonation)
	}
	if account == "" {
		return "", "", federationError(mime.NewText("google.federation_no_account",
			"names no service account: set service_account in the connection"))
	}
	conf := externalaccount.Config{Audience: f.Audience, SubjectTokenType: f.SubjectType, TokenURL: f.TokenURL, CredentialSource: f.Source,
		Scopes: []string{iamScope}}
	if f.Source.File != "" && f.Source.URL == "" {
		if _, err := readCredentialFile(f.Source.File); err != nil { // the library hides why
			return "", "", err
		}
	}
	x.step = stepFederation
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: platform{x},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	source, err := externalaccount.NewTokenSource(ctx, conf)
	if err != nil {
		return "", "", federationError(mime.NewText("google.federation_incomplete", "lacks audience, token type or source"))
	}
	t, err := source.Token()
	if err != nil {
		return "", "", err
	}
	return t.AccessToken, account, nil
}

// readFederation reads the file. Where it sends the platform's token is not trusted
// beyond Google's own hosts, and it runs no program (as C6.7).
func (k keyless) readFederation(data []byte) (*federation, error) {
	f := new(federation)
	if json.Unmarshal(adapters.PlainText(data), f) != nil || f.Type != "external_account" {
		return nil, federationError(mime.NewText("google.federation_not_external", "is no configuration of type external_account"))
	}
	switch {
	case f.Source == nil || f.Source.Executable != nil ||
		f.Source.File == "" && f.Source.URL == "" && !strings.HasPrefix(f.Source.EnvironmentID, "aws"):
		return nil, federationError(mime.NewText("google.federation_source",
			"has no source of tokens that is a file, a URL or AWS: a program is not run"))
	case !k.federationHost(f.TokenURL):
		return nil, federationError(mime.NewText("google.federation_host", "names a token_url that is not Google's"))
	}
	return f, nil
}

// federationHost allows Google's token service, and the server that the administrator
// has named in its place.
func (k keyless) federationHost(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	return u.Host == stsHost || k.settings.IAMURL != "" && u.Host == hostOf(k.settings.IAMURL)
}

// accountOfURL is the account of ".../serviceAccounts/ACCOUNT:generateAccessToken".
func accountOfURL(s string) string {
	_, after, _ := strings.Cut(s, "/serviceAccounts/")
	account, _, _ := strings.Cut(after, ":")
	return account
}

// platform carries the requests for the platform's token and for Google's. A service of
// this machine speaks plain HTTP, and no proxy is asked for it.
type platform struct{ x *exchange }

// RoundTrip implements http.RoundTripper.
func (p platform) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" {
		client := p.x.client
		p.x.client = p.x.direct
		defer func() { p.x.client = client }()
	}
	return p.x.RoundTrip(req)
}
