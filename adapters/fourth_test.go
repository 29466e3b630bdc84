package adapters_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/gateway/policy"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
	"github.com/postino-mail/postino/tokens/credential"
)

// paperclip is a provider that this module knows nothing of.
const paperclip adapters.Provider = "paperclip"

// paperclipSettings are those of the provider, with a credential of Entra and one
// of its own.
type paperclipSettings struct {
	credential.Entra
	Desk string          `json:"desk" trust:"destination,mailbox"`
	Key  adapters.Secret `json:"key,omitempty" trust:"credential"`
	Tray *paperclipTray  `json:"tray,omitempty"`
}

type paperclipTray struct {
	Pin adapters.Secret `json:"pin,omitempty" trust:"credential"`
}

func newPaperclip() adapters.Settings { return new(paperclipSettings) }

func (s *paperclipSettings) Validate(v *adapters.Validator) {
	s.Entra.Validate(v)
	if s.Desk == "" {
		v.Add("desk", mime.Text{English: "name the desk"})
	}
}

func (s *paperclipSettings) Clone() adapters.Settings {
	d := *s
	if s.Tray != nil {
		tray := *s.Tray
		d.Tray = &tray
	}
	return &d
}

func (s *paperclipSettings) Effective(*adapters.Connection) adapters.Settings { return s.Clone() }
func (s *paperclipSettings) SenderMailbox() string                            { return s.Desk }
func (s *paperclipSettings) Lane(_ *adapters.Connection, mailbox string) string {
	return "paperclip:" + mailbox
}
func (s *paperclipSettings) Limits() adapters.LaneLimits {
	return adapters.LaneLimits{Concurrency: 1, PerMinute: 2}
}
func (s *paperclipSettings) OnUnknown() adapters.UnknownPolicy { return adapters.UnknownHold }
func (s *paperclipSettings) AnyFrom() bool                     { return false }

const paperclipAudience adapters.Audience = "https://paperclip.example/.default"

func (s *paperclipSettings) Audiences() []adapters.Audience {
	return []adapters.Audience{paperclipAudience}
}
func (s *paperclipSettings) Credential(adapters.Audience) credential.Credential { return &s.Entra }

// A paperclipAdapter keeps what it sends.
type paperclipAdapter struct {
	desk string
	sent []string
}

func (a *paperclipAdapter) Send(_ context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	a.sent = append(a.sent, mailboxtest.Strings(out.Addresses())...)
	return adapters.Receipt{Provider: paperclip, Route: a.desk, MessageID: out.Message.MessageID()}, nil
}
func (a *paperclipAdapter) Check(adapters.Outgoing) error { return nil }
func (a *paperclipAdapter) MaxSize() int64                { return 0 }
func (a *paperclipAdapter) Probe(context.Context) error   { return nil }
func (a *paperclipAdapter) Close() error                  { return nil }

// A provider of one's own is read, checked, hidden and sent through without a line
// in a package of this module.
func TestFourthProvider(t *testing.T) {
	t.Parallel()
	known := all.Providers()
	maps.Copy(known, adapters.Providers{paperclip: newPaperclip})
	const doc = `{"name":"Desk","provider":"paperclip","from":"erp@example.com","owner":"o","paperclip":{"tenant":"t","client_id":"c",` +
		`"client_secret":"geheim-1","desk":"box@example.com","key":"geheim-2","tray":{"pin":"geheim-3"}}}`
	rest := new(policy.Policy) // what the gateway keeps beside it
	c, err := adapters.Decode([]byte(doc), known, rest)
	if err != nil || rest.Owner != "o" {
		t.Fatal(err, rest)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(out) + fmt.Sprintf("%+v %#v", c, c.Settings)
	if strings.Contains(shown, "geheim") || strings.Count(string(out), `"***"`) != 3 {
		t.Errorf("a secret shows: %s", shown)
	}
	var paths []string
	for _, f := range c.Clone().Secrets() {
		paths = append(paths, f.Path)
		*f.Value = "gone"
	}
	if got := strings.Join(paths, " "); got != "paperclip.client_secret paperclip.certificate paperclip.certificate_next "+
		"paperclip.certificate_password paperclip.key paperclip.tray.pin" {
		t.Errorf("secrets at %s", got)
	}
	again, err := adapters.Decode(out, known)
	if err != nil || again.RedactedSecret() != "paperclip.client_secret" {
		t.Errorf("%v, %+v", err, again)
	}
	if c.Lane(mailboxtest.Of("erp@example.com")) != "paperclip:box@example.com" || c.EffectiveLimits().PerMinute != 2 ||
		c.EffectiveOnUnknown() != adapters.UnknownHold || c.AllowsFrom(mailboxtest.Of("other@example.com")) {
		t.Errorf("%+v", c)
	}
	var a *paperclipAdapter
	router := adapters.NewRouter(map[adapters.Provider]adapters.Factory{paperclip: func(c *adapters.Connection) (adapters.Adapter, error) {
		a = &paperclipAdapter{desk: c.Settings.(*paperclipSettings).Desk}
		return a, nil
	}})
	msg := withAttachment(t, 100)
	env, err := msg.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := router.Send(t.Context(), c, adapters.Outgoing{Message: msg, Envelope: env})
	if err != nil || receipt.Route != "box@example.com" || len(a.sent) != 1 {
		t.Errorf("%+v, %v, %v", receipt, a, err)
	}
	cache := tokens.NewCache(tokens.Options{})
	t.Cleanup(func() { _ = cache.Close() })
	if _, err := cache.TokenSource(c, paperclipAudience); err != nil {
		t.Error(err)
	}
}

// What does not fit the provider is refused field by field.
func TestFourthProviderRefuses(t *testing.T) {
	t.Parallel()
	known := adapters.Providers{paperclip: newPaperclip, "stapler": newPaperclip}
	for field, doc := range map[string]string{
		"paperclip.desk":      `{"name":"x","provider":"paperclip","from":"a@b.it","paperclip":{"managed_identity":true}}`,
		"paperclip.tenant":    `{"name":"x","provider":"paperclip","from":"a@b.it","paperclip":{"tenant":3}}`,
		"paperclip.tray.pin":  `{"name":"x","provider":"paperclip","from":"a@b.it","paperclip":{"tray":{"pin":3}}}`,
		"stapler":             `{"name":"x","provider":"paperclip","from":"a@b.it","paperclip":{},"stapler":{}}`,
		"provider":            `{"name":"x","provider":"smtp","from":"a@b.it"}`,
		"smtp":                `{"name":"x","provider":"paperclip","from":"a@b.it","paperclip":{},"smtp":{}}`,
		"paperclip":           `{"name":"x","provider":"paperclip","from":"a@b.it","paperclip":null}`,
		"from":                `{"name":"x","provider":"paperclip","paperclip":{}}`,
		"owner":               `{"name":"x","provider":"paperclip","paperclip":{},"owner":"o"}`,
		"paperclip.client_id": `{"name":"x","provider":"paperclip","from":"a@b.it","PAPERCLIP":{"tenant":"t"}}`,
	} {
		c, err := adapters.Decode([]byte(doc), known)
		if err == nil {
			err = c.Validate()
		}
		var e *adapters.InvalidError
		if !errors.As(err, &e) || !strings.Contains("\n"+e.Error(), "\n"+field+": ") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}
