package gmail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const uploadPath = "/upload/gmail/v1/users/me/messages/send" // contracts C1.1; "me" is the token's sub (C4, delegationDenied)

// Send implements adapters.Adapter.
func (a *Adapter) Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	p, err := a.prepare(out)
	if err != nil {
		return adapters.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return adapters.Receipt{}, a.network(err)
	}
	src, err := a.source(p.mailbox, adapters.AudienceGmailSend)
	if err != nil {
		return adapters.Receipt{}, err
	}
	sum, err := digest(p.view)
	if err != nil {
		return adapters.Receipt{}, a.localFailure(err)
	}
	r := adapters.Receipt{Provider: adapters.Gmail, MessageID: out.Message.MessageID(), Bytes: p.view.Size(), SHA256: sum}
	var ans answer
	if p.view.Size() <= mediaLimit {
		r.Route = "media"
		ans, err = a.sendMedia(ctx, src, p.view, out)
	} else {
		r.Route = "resumable"
		ans, err = a.sendResumable(ctx, src, p.view, out)
	}
	if err != nil {
		return adapters.Receipt{}, err
	}
	id, err := a.sent(ans)
	if err != nil {
		return adapters.Receipt{}, err
	}
	r.ProviderID, r.Status, r.At = id, ans.status, a.now()
	if r.Route == "media" { // the id of a resumable upload is a capability
		r.RequestID = word(ans.header.Get("X-GUploader-UploadID"))
	}
	for _, addr := range out.Addresses() {
		r.Recipients = append(r.Recipients, adapters.RecipientResult{Address: addr})
	}
	return r, nil
}

// sendMedia is the single request of contracts C1.6.
func (a *Adapter) sendMedia(ctx context.Context, src adapters.TokenSource, view mime.Source, out adapters.Outgoing) (answer, error) {
	header := http.Header{"Content-Type": {"message/rfc822"}} // contracts C2.7
	return authorized(ctx, src, func(token string) answer {
		return a.do(ctx, http.MethodPost, a.base+uploadPath+"?uploadType=media", token, header, out.Permitted(mime.NewReader(view)), view.Size())
	})
}

// sent reads the answer to a request that carried the whole message, or its
// end: only a Message with its id proves that it was accepted (contracts C1.9).
func (a *Adapter) sent(ans answer) (id string, err error) {
	if ans.status == http.StatusOK || ans.status == http.StatusCreated {
		if id := messageID(ans.body); id != "" {
			return id, nil
		}
	}
	return "", a.failure(ans, true)
}

// messageID is the id of the Message in an answer, empty when there is none.
func messageID(body []byte) string {
	var m sentMessage
	if json.Unmarshal(body, &m) != nil {
		return ""
	}
	return word(m.ID)
}

// digest is the hash of what will be sent. It is taken before, so that a
// message that cannot be read fails before anything is sent.
func digest(s mime.Source) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, mime.NewReader(s)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// word lets only what can be an id or a code through.
func word(s string) string {
	if len(s) > 256 {
		return ""
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return ""
		}
	}
	return s
}
