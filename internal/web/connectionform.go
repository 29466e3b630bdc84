package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
)

// A settingKind says how a setting stands in a form.
type settingKind int

const (
	kindWord   settingKind = iota
	kindSecret             // never written into a page; empty: the stored one stays
	kindNumber
	kindFlag
	kindLines // one value a line
)

// A setting is one of a connection, by its path in the API's JSON, which is the
// name of its control as well.
type setting struct {
	path string
	kind settingKind
}

// settings are those that the form has for a provider; active and default are apart.
func settings(provider string) []setting {
	out := []setting{{"name", kindWord}, {"from", kindWord}, {"display_name", kindWord}, {"reply_to", kindWord},
		{"aliases", kindLines}, {"class", kindWord}, {"fallback", kindLines}, {"on_unknown", kindWord},
		{"on_quota_exceeded", kindWord}, {"secret_expires", kindWord}, {"limits.concurrency", kindNumber},
		{"limits.per_minute", kindNumber}, {"limits.recipients_per_day", kindNumber}}
	switch adapters.Provider(provider) {
	case adapters.SMTP:
		out = append(out, setting{"smtp.host", kindWord}, setting{"smtp.port", kindNumber}, setting{"smtp.encryption", kindWord},
			setting{"smtp.login", kindWord}, setting{"smtp.password", kindSecret}, setting{"smtp.auth", kindWord}, setting{"smtp.pec", kindFlag},
			setting{"smtp.source_address", kindWord}, setting{"smtp.hostname", kindWord}, setting{"smtp.ca_file", kindWord},
			setting{"smtp.allow_insecure", kindFlag})
	case adapters.Graph:
		out = append(append(out, entraSettings("graph.")...), setting{"graph.mailbox", kindWord}, setting{"graph.graph_url", kindWord})
	case adapters.Gmail:
		out = append(append(out, googleSettings("gmail.")...), setting{"gmail.gmail_url", kindWord})
	}
	return out
}

func entraSettings(at string) []setting {
	return []setting{{at + "tenant", kindWord}, {at + "client_id", kindWord}, {at + "client_secret", kindSecret},
		{at + "certificate", kindSecret}, {at + "cloud", kindWord}, {at + "authority_url", kindWord}}
}

func googleSettings(at string) []setting {
	return []setting{{at + "service_account_json", kindSecret}, {at + "subject", kindWord}, {at + "token_url", kindWord}}
}

// oauthSettings are those of an SMTP connection with tokens in place of a password.
func oauthSettings(issuer string) []setting {
	at := "smtp.oauth."
	if issuer == "google" {
		return append([]setting{{at + "provider", kindWord}}, googleSettings(at)...)
	}
	return append([]setting{{at + "provider", kindWord}}, entraSettings(at)...)
}

// credentials are the ways to prove oneself of which a connection has exactly one:
// whoever gives one takes the others away.
func credentials(at string) []string {
	return []string{at + "client_secret", at + "certificate", at + "certificate_file", at + "certificate_password",
		at + "federated_token_file", at + "managed_identity"}
}

// connectionForm is the form of a stored connection.
func connectionForm(c *gateway.Connection) (*form, error) {
	doc, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(doc, &tree); err != nil {
		return nil, err
	}
	f := formOf("provider", string(c.Provider), "revision", strconv.FormatInt(c.Revision, 10))
	f.fillConnection(tree)
	if c.IsActive() {
		f.Values.Set("active", "on")
	}
	return f, nil
}

// fillConnection takes the values of a connection as JSON has them.
func (f *form) fillConnection(tree map[string]any) {
	all := settings(f.Get("provider"))
	if issuer, ok := at(tree, "smtp.oauth.provider").(string); ok {
		all = append(all, oauthSettings(issuer)...)
	}
	for _, s := range all {
		if s.kind == kindSecret {
			if at(tree, s.path) != nil {
				f.Values.Set("stored."+s.path, "on")
			}
			continue
		}
		switch value := at(tree, s.path).(type) {
		case string:
			f.Values.Set(s.path, value)
		case float64:
			f.Values.Set(s.path, strconv.FormatFloat(value, 'f', -1, 64))
		case bool:
			if value {
				f.Values.Set(s.path, "on")
			}
		case []any:
			var list []string
			for _, item := range value {
				if s, ok := item.(string); ok {
					list = append(list, s)
				}
			}
			f.Values.Set(s.path, strings.Join(list, "\n"))
		}
	}
	if mode, _ := tree["default"].(string); mode != "" && mode != string(gateway.DefaultNo) {
		f.Values.Set("default", "on")
		f.Values.Set("default_mode", mode)
	}
}

// at is what stands in a tree of JSON under a path; nil: nothing.
func at(tree map[string]any, path string) any {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			return tree[name]
		}
		tree, _ = tree[name].(map[string]any)
		path = rest
	}
}

// put enters a value in a tree of JSON under a path.
func put(tree map[string]any, path string, value any) {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			tree[name] = value
			return
		}
		sub, ok := tree[name].(map[string]any)
		if !ok {
			sub = map[string]any{}
			tree[name] = sub
		}
		tree, path = sub, rest
	}
}

// connectionDocument is the connection that was typed, as the API takes it: whole, or
// with patch a merge patch (RFC 7396), in which what is empty is removed and a
// secret that was not typed stays. What cannot be read is objected to.
func (f *form) connectionDocument(v *visit, patch bool) map[string]any {
	provider := f.Get("provider")
	doc := map[string]any{"active": f.Checked("active"), "default": f.defaultMode()}
	if !patch {
		doc["provider"] = provider
		if provider != "" {
			doc[provider] = map[string]any{}
		}
	}
	all := settings(provider)
	if issuer := f.Get("smtp.oauth.provider"); issuer != "" {
		all = append(all, oauthSettings(issuer)...)
	} else if patch && provider == string(adapters.SMTP) {
		put(doc, "smtp.oauth", nil)
	}
	for _, s := range all {
		value, ok := f.setting(v, s)
		if ok || patch && s.kind != kindSecret {
			put(doc, s.path, value)
		}
	}
	if patch {
		f.dropOtherCredentials(doc)
	}
	return doc
}

// setting is the value of one setting; ok is false, and the value nil, where there
// is none.
func (f *form) setting(v *visit, s setting) (value any, ok bool) {
	typed := f.Get(s.path)
	switch s.kind {
	case kindSecret:
		typed = f.Secret(s.path)
	case kindFlag:
		return f.Checked(s.path), f.Checked(s.path)
	case kindLines:
		list := lines(typed)
		return list, len(list) > 0
	case kindNumber:
		if typed == "" {
			return nil, false
		}
		n, err := strconv.Atoi(typed)
		if err != nil {
			f.object(s.path, text("web.no_number", "this is no whole number"), v.lang)
			return nil, false
		}
		return n, true
	}
	if typed == "" {
		return nil, false
	}
	return typed, true
}

// defaultMode is what the box "default" means: a mode that was chosen elsewhere stays.
func (f *form) defaultMode() string {
	switch {
	case !f.Checked("default"):
		return string(gateway.DefaultNo)
	case f.Get("default_mode") == string(gateway.DefaultAlways):
		return string(gateway.DefaultAlways)
	}
	return string(gateway.DefaultUnrouted)
}

// dropOtherCredentials takes away the credentials that another was typed in place of.
func (f *form) dropOtherCredentials(doc map[string]any) {
	for _, place := range []string{"graph.", "smtp.oauth."} {
		for _, name := range []string{"client_secret", "certificate"} {
			if f.Secret(place+name) == "" {
				continue
			}
			for _, other := range credentials(place) {
				if f.Secret(other) == "" {
					put(doc, other, nil)
				}
			}
		}
	}
	for _, place := range []string{"gmail.", "smtp.oauth."} {
		if f.Secret(place+"service_account_json") != "" {
			put(doc, place+"service_account_file", nil)
		}
	}
}

// refuseConnection is refuse with the names that the controls have.
func (f *form) refuseConnection(v *visit, err error) error {
	if err := f.refuse(v, err); err != nil {
		return err
	}
	// "exactly one credential" is said of a field that the form may call otherwise.
	for _, place := range []string{"gmail.", "smtp.oauth."} {
		f.rename(place+"service_account_file", place+"service_account_json")
	}
	if f.status == http.StatusForbidden {
		f.status = http.StatusUnprocessableEntity
	}
	return nil
}

// Advanced reports that a setting of the folded part is set, or wrong.
func (f *form) Advanced() bool {
	for name := range f.byField {
		switch name {
		case "name", "from", "active", "default":
		default:
			return true
		}
	}
	return false
}
