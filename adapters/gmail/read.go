package gmail

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const userPath = "/gmail/v1/users/me" // "me" is the token's sub

// What of Gmail's resources is read here (contracts C1, C5.8). Google's
// generated client would add 3 MB to every program that sends by Gmail
// (docs/adr/0011-size.md).
type (
	messageList struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	sentMessage struct {
		ID           string `json:"id"`
		InternalDate int64  `json:"internalDate,string"` // Unix milliseconds
		Payload      struct {
			Headers []struct {
				Name  string `json:"name"`
				Value string `json:"value"`
			} `json:"headers"`
		} `json:"payload"`
	}
	sendAsList struct {
		SendAs []struct {
			SendAsEmail        string `json:"sendAsEmail"`
			IsPrimary          bool   `json:"isPrimary"`
			VerificationStatus string `json:"verificationStatus"`
		} `json:"sendAs"`
	}
)

// get makes a request that changes nothing and decodes its answer into out, once
// more with a renewed token after a 401. The error is an *adapters.Error.
func (a *Adapter) get(ctx context.Context, src adapters.TokenSource, path string, query url.Values, out any) error {
	ans, err := authorized(ctx, src, func(token string) answer {
		return a.do(ctx, http.MethodGet, a.base+userPath+path+"?"+query.Encode(), token, nil, nil, 0)
	})
	switch {
	case err != nil:
		return err
	case ans.err != nil:
		return a.network(ans.err)
	case ans.status != http.StatusOK:
		return a.refused(ans)
	}
	if json.Unmarshal(ans.body, out) != nil { // its error may quote the body
		return a.transient(adapters.CodeGarbage, ans, mime.NewText("gmail.garbage", "Gmail's answer cannot be read"))
	}
	return nil
}
