package watch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// tag is the tag of messages about alerts.
const tag = "postino-alert"

// mail hands over the mail about alerts that has not been handed over yet. Where
// no connection can carry it now, it is tried again with the next round.
func (r *round) mail(ctx context.Context) error {
	for _, key := range slices.Sorted(maps.Keys(r.open)) {
		a := r.open[key]
		if !a.MailDue {
			continue
		}
		if len(r.opt.Settings.Mail) > 0 {
			c := r.carrier(a)
			if c == nil {
				continue
			}
			if err := r.handOver(ctx, a, c); err != nil {
				return err
			}
		}
		next := *a
		next.MailDue = false
		if err := r.put(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// carrier chooses the connection for mail about an alert: never the one that it
// is about, nor one that shares its mailbox or its credential, nor one that does
// not work now; and none of another owner, who would read it. nil: there is none.
func (r *round) carrier(a *store.Alert) *gateway.Connection {
	about := r.byID[a.Connection]
	var best *gateway.Connection
	rank := 0
	for _, c := range r.connections {
		if !r.works(c) || c.ID == a.Connection || a.Kind == KindBudget && KindBudget+":"+c.Lane(c.OwnAddress()) == a.Key {
			continue
		}
		if about != nil && (shares(c, about) || a.Kind == KindServerCertificate && server(c) == server(about)) {
			continue
		}
		n := 0
		switch {
		case r.opt.Settings.Connection != "":
			if strings.EqualFold(c.Name, r.opt.Settings.Connection) {
				n = 5
			}
		case c.Owner != "" && (about == nil || c.Owner != about.Owner):
		case about != nil && c.Provider != about.Provider:
			n = 3
		case c.IsDefault():
			n = 2
		default:
			n = 1
		}
		if n > rank {
			best, rank = c, n
		}
	}
	return best
}

// works reports whether mail can leave through c now.
func (r *round) works(c *gateway.Connection) bool {
	st := r.states[c.ID]
	for name := range credentialNames(c) {
		if r.refusedNames[name] {
			return false
		}
	}
	return c.IsActive() && c.RedactedSecret() == "" && !c.OwnAddress().IsZero() && !st.PausedUntil.After(r.now) &&
		st.Breaker.State != "open"
}

// shares reports whether two connections use one mailbox or one credential, so
// that what breaks one breaks the other.
func shares(a, b *gateway.Connection) bool {
	if a.Lane(a.OwnAddress()) == b.Lane(b.OwnAddress()) {
		return true
	}
	mine, others := credentialNames(a), credentialNames(b)
	for name := range mine {
		if others[name] {
			return true
		}
	}
	return false
}

// credentialNames names what a connection proves itself with, and where.
func credentialNames(c *gateway.Connection) map[string]bool {
	out := map[string]bool{}
	if holder, ok := c.Settings.(credential.Holder); ok {
		for _, audience := range holder.Audiences() {
			nameCredential(out, holder.Credential(audience))
		}
	}
	if set, ok := c.Settings.(adapters.ServerSettings); ok && set.SenderMailbox() != "" {
		host, port := set.Server()
		out[fmt.Sprintf("%s %s:%d %s", c.Provider, strings.ToLower(host), port, strings.ToLower(set.SenderMailbox()))] = true
	}
	return out
}

// nameCredential puts the names of one credential into out.
func nameCredential(out map[string]bool, one credential.Credential) {
	switch cred := one.(type) {
	case *credential.Entra:
		if cred.ClientID != "" {
			out["entra "+strings.ToLower(cred.Tenant+" "+cred.ClientID)] = true
		}
	case *credential.Google:
		if cred.WithoutKey() {
			out["google identity "+cred.WorkloadIdentityFile+" "+strings.ToLower(cred.ServiceAccount)] = true
		}
		if cred.ServiceAccountFile != "" {
			out["google file "+cred.ServiceAccountFile] = true
		}
		if cred.ServiceAccountJSON != "" {
			out[fmt.Sprintf("google %x", sha256.Sum256([]byte(cred.ServiceAccountJSON.Reveal())))] = true
		}
	}
}

// beyondFallbacks is a position behind every chain of fallbacks: mail about a
// connection must not fail over to it.
const beyondFallbacks = 1 << 14

// handOver stores the message, once: a repeat has the same key. It is a
// notification, with the null sender: when it fails, nothing is mailed about that.
func (r *round) handOver(ctx context.Context, a *store.Alert, c *gateway.Connection) error {
	from := c.OwnAddress()
	read, err := mime.Build(r.draft(a, c, from))
	if err != nil {
		return err
	}
	env := mime.Envelope{}
	for _, to := range r.opt.Settings.Mail {
		env.Recipients = append(env.Recipients, mime.Recipient{Address: to, Notify: []mime.Notify{mime.NotifyNever}})
	}
	key := fmt.Sprintf("%s/%d", a.ID, a.Notices)
	request := sha256.Sum256([]byte(key))
	_, err = r.opt.Store.Submit(ctx, store.Submission{Now: r.now,
		Idempotency: &store.Idempotency{Client: "postino-watch", Key: key, Request: request[:], ExpiresAt: r.now.Add(keepResolved)},
		Messages: []store.NewMessage{{
			Message: store.Message{MessageID: read.MessageID(), Subject: read.Subject(), From: from, EntryPoint: "postino",
				Class: "transactional", Tag: tag, Notification: true, ReceivedAt: r.now, Envelope: env},
			Head: read.Head(), Body: read.Body(),
			Deliveries: []store.NewDelivery{{Recipients: env.Recipients, NextAt: r.now, ExpiresAt: r.now.Add(r.opt.GiveUp),
				Route: store.RouteTo(c, from, beyondFallbacks)}},
		}}})
	if err != nil && !errors.Is(err, store.ErrIdempotency) {
		return fmt.Errorf("the mail about an alert cannot be stored: %w", err)
	}
	return nil
}

// draft is the message about an alert.
func (r *round) draft(a *store.Alert, c *gateway.Connection, from mime.Mailbox) *mime.Draft {
	lang := r.opt.Settings.Language
	if lang == "" {
		lang = locale.English
	}
	name := c.DisplayName
	if name == "" {
		name = "postino"
	}
	subject := mime.NewText("watch.subject", "postino: {message}", "message", a.Message)
	switch {
	case a.Open() && a.Ends.After(r.now):
		subject = mime.NewCount("watch.subject_days", store.DaysLeft(r.now, a.Ends), "postino: {message} (one day left)",
			"postino: {message} ({count} days left)", "message", a.Message)
	case !a.Open():
		subject = mime.NewText("watch.subject_resolved", "postino, resolved: {message}", "message", a.Message)
	}
	var lines []string
	add := func(t mime.Text) { lines = append(lines, t.In(lang)) }
	add(mime.NewText("watch.mail_message", "{message}.", "message", a.Message))
	if !a.Hint.IsZero() {
		lines = append(lines, "")
		add(mime.NewText("watch.mail_hint", "What to do: {hint}.", "hint", a.Hint))
	}
	lines = append(lines, "")
	add(mime.NewText("watch.mail_foot", "postino on {host}, since {since}. All alerts: postino alerts. This mail left through {name}.", "host",
		r.opt.Hostname, "since", terminal.UTC(a.Since), "name", c.Name))
	d := &mime.Draft{From: mime.Address{Name: name, Address: from}, Subject: oneLine(subject.In(lang)),
		Text: strings.Join(lines, "\r\n") + "\r\n", Date: r.now, Headers: []mime.Field{{Name: "Auto-Submitted", Value: "auto-generated"}}}
	for _, to := range r.opt.Settings.Mail {
		d.To = append(d.To, mime.Address{Address: to})
	}
	return d
}

// oneLine makes a text fit to be a subject: what a server said may stand in it.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	return s
}
