package gmail

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// Verify implements adapters.Verifier: it looks for the Message-ID among the
// sent messages of the mailbox, where every send leaves a copy. This needs the
// scope gmail.readonly in the domain-wide delegation; without it the verdict is
// CannotTell. A passing failure is an error beside
// CannotTell: ask again.
func (a *Adapter) Verify(ctx context.Context, req adapters.VerifyRequest) (adapters.Verdict, adapters.Receipt, error) {
	// contracts C5.8
	id := strings.Trim(req.Message.MessageID(), "<>")
	from := req.Message.From()
	if !searchable(id) || len(from) == 0 {
		return adapters.CannotTell, adapters.Receipt{}, nil
	}
	src, err := a.source(a.conn.Mailbox(from[0].Address), adapters.AudienceGmailRead)
	if err != nil {
		return cannotTell(err)
	}
	found, err := a.search(ctx, src, id)
	if err != nil {
		return cannotTell(err)
	}
	verdict := adapters.NotSent
	var match sentMessage
	for _, m := range found.Messages {
		full, err := a.sentMessage(ctx, src, m.ID)
		if err != nil {
			return cannotTell(err)
		}
		one := req.Match(kept(full))
		if one == adapters.Sent {
			verdict, match = one, full
			break
		}
		if one == adapters.CannotTell {
			verdict = one
		}
	}
	if verdict != adapters.Sent {
		return verdict, adapters.Receipt{}, nil
	}
	r := adapters.Receipt{Provider: adapters.Gmail, Route: "search", MessageID: req.Message.MessageID(), ProviderID: word(match.ID),
		Status: http.StatusOK, At: a.now()}
	for _, addr := range req.Addresses() {
		r.Recipients = append(r.Recipients, adapters.RecipientResult{Address: addr})
	}
	return adapters.Sent, r, nil
}

// maxFound bounds how many copies under one Message-ID are looked at.
const maxFound = 20

// search finds the sent messages of a Message-ID, in spam and trash too: the
// user may have thrown the sent copy away.
func (a *Adapter) search(ctx context.Context, src adapters.TokenSource, id string) (found messageList, err error) {
	query := url.Values{"q": {"rfc822msgid:" + id}, "labelIds": {"SENT"}, "includeSpamTrash": {"true"}, "maxResults": {strconv.Itoa(maxFound)}}
	return found, a.get(ctx, src, "/messages", query, &found)
}

// sentMessage is one message with the lines that name its recipients.
func (a *Adapter) sentMessage(ctx context.Context, src adapters.TokenSource, id string) (m sentMessage, err error) {
	query := url.Values{"format": {"metadata"}, "metadataHeaders": {"To", "Cc", "Bcc"}}
	return m, a.get(ctx, src, "/messages/"+url.PathEscape(id), query, &m)
}

// kept is the mailbox's own copy as its header shows it.
func kept(m sentMessage) adapters.Found {
	f := adapters.Found{At: time.UnixMilli(m.InternalDate)}
	var head strings.Builder
	for _, h := range m.Payload.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", h.Name, strings.Join(strings.FieldsFunc(h.Value, func(r rune) bool {
			return r == '\r' ||
				r == '\n'
		}), " "))
	}
	read, err := mime.Read(mime.Bytes([]byte(head.String()+"\r\n")), mime.Limits{})
	if err != nil {
		return f
	}
	addresses := func(list []mime.Address) []string {
		out := make([]string, len(list))
		for i, a := range list {
			out[i] = a.Address.String()
		}
		return out
	}
	f.To, f.Cc, f.Bcc = addresses(read.To()), addresses(read.Cc()), addresses(read.Bcc())
	return f
}

// cannotTell is final when access is missing, and an error when it may pass.
func cannotTell(err error) (adapters.Verdict, adapters.Receipt, error) {
	switch adapters.ClassOf(err) {
	case adapters.Auth, adapters.Permanent:
		return adapters.CannotTell, adapters.Receipt{}, nil
	}
	return adapters.CannotTell, adapters.Receipt{}, err
}

// searchable reports an id that Gmail has kept as it was (contracts C5.5) and
// that a query can carry. The search would miss others, which proves nothing.
func searchable(id string) bool {
	left, domain, ok := strings.Cut(id, "@")
	if !ok || left == "" || len(id) > 900 || strings.Contains(domain, "@") || !strings.Contains(domain, ".") ||
		strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>(){}\`, r) })
}
