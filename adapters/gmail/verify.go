package gmail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	gmailapi "google.golang.org/api/gmail/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

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
	var found *gmailapi.ListMessagesResponse
	var match *gmailapi.Message
	verdict := adapters.NotSent
	err = a.call(ctx, src, func(s *gmailapi.Service, header func(http.Header)) error {
		// Spam and trash too: the user may have thrown the sent copy away.
		call := s.Users.Messages.List("me").Q("rfc822msgid:" + id).LabelIds("SENT").IncludeSpamTrash(true).MaxResults(maxFound).Context(ctx)
		header(call.Header())
		var err error
		if found, err = call.Do(); err != nil {
			return err
		}
		verdict = adapters.NotSent
		for _, m := range found.Messages {
			get := s.Users.Messages.Get("me", m.Id).Format("metadata").MetadataHeaders("To", "Cc", "Bcc").Context(ctx)
			header(get.Header())
			full, err := get.Do()
			if err != nil {
				return err
			}
			switch req.Match(kept(full)) {
			case adapters.Sent:
				verdict, match = adapters.Sent, full
				return nil
			case adapters.CannotTell:
				verdict = adapters.CannotTell
			}
		}
		return nil
	})
	if err != nil {
		return cannotTell(err)
	}
	if verdict != adapters.Sent {
		return verdict, adapters.Receipt{}, nil
	}
	r := adapters.Receipt{Provider: adapters.Gmail, Route: "search", MessageID: req.Message.MessageID(), ProviderID: word(match.Id),
		Status: found.HTTPStatusCode, At: a.now()}
	for _, addr := range req.Addresses() {
		r.Recipients = append(r.Recipients, adapters.RecipientResult{Address: addr})
	}
	return adapters.Sent, r, nil
}

// maxFound bounds how many copies under one Message-ID are looked at.
const maxFound = 20

// kept is the mailbox's own copy as its header shows it.
func kept(m *gmailapi.Message) adapters.Found {
	f := adapters.Found{At: time.UnixMilli(m.InternalDate)}
	if m.Payload == nil {
		return f
	}
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
			out[i] = a.Address
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

// call makes a call that sends nothing through Google's client, once more
// with a renewed token after a 401. The error is an *adapters.Error.
func (a *Adapter) call(ctx context.Context, src adapters.TokenSource, do func(*gmailapi.Service, func(http.Header)) error) error {
	service, err := gmailapi.NewService(ctx, option.WithHTTPClient(a.client), option.WithEndpoint(a.base+"/"), option.WithUserAgent("postino"))
	if err != nil {
		return a.network(err)
	}
	token, err := src.Token(ctx)
	if err != nil {
		return err
	}
	for renewed := false; ; renewed = true {
		err := do(service, func(h http.Header) { h.Set("Authorization", "Bearer "+token) })
		if err == nil {
			return nil
		}
		var ge *googleapi.Error
		if !errors.As(err, &ge) {
			return a.unreadable(err)
		}
		if ge.Code != http.StatusUnauthorized || renewed {
			return a.refused(answer{status: ge.Code, header: ge.Header, body: []byte(ge.Body)})
		}
		if token, err = src.Renew(ctx, token); err != nil {
			return err
		}
	}
}

// unreadable is a call that failed in the network or whose answer was none.
func (a *Adapter) unreadable(err error) error {
	e := a.network(err)
	if e.Code == "network" { // the library's words for garbage; they may quote the body
		e.Err = nil
		e.Code = string(adapters.CodeGarbage)
		e.Message = mime.NewText("gmail.garbage", "Gmail's answer cannot be read")
	}
	return e
}
