package graph

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// maxRegistration bounds the answer of CredentialEnd: an application has few secrets.
const maxRegistration = 1 << 20

// A CredentialEnd is when the credential of an application ends, as its registration
// in Entra has it.
type CredentialEnd struct {
	Ends time.Time // zero: it has no end
	Name string    // its description in Entra; may be empty
	// Among is how many credentials of the registration it may be. 1: it is this one;
	// more: they cannot be told apart, and this is the one that ends first.
	Among int
}

// registeredKey is a client secret (hint) or a certificate (customKeyIdentifier).
type registeredKey struct {
	DisplayName         string    `json:"displayName"`
	EndDateTime         time.Time `json:"endDateTime"`
	Hint                string    `json:"hint"`
	CustomKeyIdentifier string    `json:"customKeyIdentifier"`
}

// CredentialEnd reads when the connection's credential ends from the registration
// of its application: of the certificate with this SHA-1 thumbprint, or of the
// client secret where thumbprint is nil. It returns nil where the registration has
// none that could be the connection's. The application needs Application.Read.All
// or a right to its own registration; without, the error is an *adapters.Error of
// status 403.
func (a *Adapter) CredentialEnd(ctx context.Context, thumbprint []byte) (*CredentialEnd, error) {
	// contracts A7.1, A7.2; keyCredentials are asked for only where needed: A7.5
	set, kind := SettingsOf(a.conn), "passwordCredentials"
	if thumbprint != nil {
		kind = "keyCredentials"
	}
	id := url.PathEscape(strings.ReplaceAll(set.ClientID, "'", "''"))
	res, err := a.do(ctx, &request{op: "registration", method: http.MethodGet, want: []int{http.StatusOK}, reply: maxRegistration,
		url: a.base + "/applications(appId='" + id + "')?$select=" + kind})
	if err != nil {
		return nil, err
	}
	var got struct {
		PasswordCredentials []registeredKey `json:"passwordCredentials"`
		KeyCredentials      []registeredKey `json:"keyCredentials"`
	}
	if err := json.Unmarshal(res.body, &got); err != nil {
		e := a.error(rule{code: adapters.CodeGarbage, class: adapters.Transient, scope: adapters.ScopeConnection, enhanced: "4.4.0",
			say: mime.NewText("graph.registration_unreadable", "what Microsoft Graph answers about the application cannot be read"),
			do:  strangerRule().do}, nil)
		e.Err = err
		return nil, e
	}
	if thumbprint != nil {
		return earliest(ofThumbprint(got.KeyCredentials, thumbprint), a.now()), nil
	}
	return earliest(ofHint(got.PasswordCredentials, set.ClientSecret), a.now()), nil
}

// ofThumbprint are the keys with the certificate's thumbprint as identifier, which
// Graph writes in base64 and PowerShell in hexadecimal.
func ofThumbprint(keys []registeredKey, thumbprint []byte) []registeredKey {
	// contracts A7.4
	return slices.DeleteFunc(keys, func(k registeredKey) bool {
		raw, err := base64.StdEncoding.DecodeString(k.CustomKeyIdentifier)
		return (err != nil || !bytes.Equal(raw, thumbprint)) && !strings.EqualFold(k.CustomKeyIdentifier, hex.EncodeToString(thumbprint))
	})
}

// ofHint are the secrets with the hint, the first three characters, of secret.
// Where none is, one without a hint may be it.
func ofHint(keys []registeredKey, secret adapters.Secret) []registeredKey {
	// contracts A7.3
	value := []byte(secret.Reveal())
	var same, unknown []registeredKey
	for _, k := range keys {
		switch {
		case k.Hint == "":
			unknown = append(unknown, k)
		case len(value) >= len(k.Hint) && subtle.ConstantTimeCompare(value[:len(k.Hint)], []byte(k.Hint)) == 1:
			same = append(same, k)
		}
	}
	if len(same) == 0 {
		return unknown
	}
	return same
}

// earliest is the key that ends first of those that still work: a token was just
// issued for one of them. Where all have ended it is the last one.
func earliest(keys []registeredKey, now time.Time) *CredentialEnd {
	if len(keys) == 0 {
		return nil
	}
	never := func(k registeredKey) bool { return k.EndDateTime.IsZero() }
	slices.SortFunc(keys, func(a, b registeredKey) int {
		switch {
		case never(a) && !never(b):
			return 1
		case never(b) && !never(a):
			return -1
		}
		return a.EndDateTime.Compare(b.EndDateTime)
	})
	living := slices.IndexFunc(keys, func(k registeredKey) bool { return never(k) || k.EndDateTime.After(now) })
	if living < 0 {
		living = len(keys) - 1
	}
	k := keys[living]
	return &CredentialEnd{Ends: k.EndDateTime.UTC(), Name: strings.Join(strings.Fields(k.DisplayName), " "), Among: len(keys) - living}
}
