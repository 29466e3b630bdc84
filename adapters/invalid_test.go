package adapters_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
)

// Whatever is wrong with a connection is said in both languages, and names its field.
func TestInvalidInBothLanguages(t *testing.T) {
	t.Parallel()
	const smtp = `"provider":"smtp","smtp":{"host":"h"}`
	tests := map[string]string{ // the field, the document
		"":                   `{"name":`,
		"x":                  `{"x":1}`,
		"aliases":            `{"name":"x","aliases":["a",""],` + smtp + `}`,
		"name":               `{"name":" ",` + smtp + `}`,
		"display_name":       `{"name":"x","display_name":5,` + smtp + `}`,
		"from":               `{"name":"x","from":"*@@",` + smtp + `}`,
		"reply_to":           `{"name":"x","reply_to":"boss",` + smtp + `}`,
		"on_unknown":         `{"name":"x","on_unknown":"guess",` + smtp + `}`,
		"limits.concurrency": `{"name":"x","limits":{"concurrency":-1},` + smtp + `}`,
		"provider":           `{"name":"x","provider":"yahoo"}`,
		"graph":              `{"name":"x","provider":"graph"}`,
		"gmail":              `{"name":"x","provider":"smtp","smtp":{"host":"h"},"gmail":{}}`,

		"graph.client_secret": `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_id":"c"}}`,
		"graph.client_id":     `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_secret":"s"}}`,
		"graph.tenant": `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"common","client_id":"c",` +
			`"client_secret":"s"}}`,
		"graph.cloud": `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_id":"c",` +
			`"client_secret":"s","cloud":"blue"}}`,
		"graph.authority_url": `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_id":"c",` +
			`"client_secret":"s","authority_url":"http://127.0.0.1"}}`,
		"graph.graph_url": `{"name":"x","provider":"graph","from":"a@b.it","graph":{"tenant":"t","client_id":"c",` +
			`"client_secret":"s","graph_url":"graph"}}`,
		"gmail.service_account_file": `{"name":"x","provider":"gmail","from":"a@b.it","gmail":{}}`,
		"gmail.gmail_url": `{"name":"x","provider":"gmail","from":"a@b.it","gmail":{"service_account_file":"f",` +
			`"gmail_url":"http://g.example"}}`,
		"smtp.host":           `{"name":"x","provider":"smtp","smtp":{}}`,
		"smtp.port":           `{"name":"x","provider":"smtp","smtp":{"host":"h","port":70000}}`,
		"smtp.encryption":     `{"name":"x","provider":"smtp","smtp":{"host":"h","encryption":"none","login":"a","password":"p"}}`,
		"smtp.auth":           `{"name":"x","provider":"smtp","smtp":{"host":"h","auth":"ntlm"}}`,
		"smtp.login":          `{"name":"x","provider":"smtp","smtp":{"host":"h","password":"p"}}`,
		"smtp.source_address": `{"name":"x","provider":"smtp","smtp":{"host":"h","source_address":"eth0"}}`,
		"smtp.oauth":          `{"name":"x","provider":"smtp","smtp":{"host":"h","auth":"xoauth2"}}`,
		"smtp.password": `{"name":"x","provider":"smtp","smtp":{"host":"h","login":"a","password":"p","oauth":{"provider":"google",` +
			`"service_account_file":"f"}}}`,
		"smtp.oauth.provider": `{"name":"x","provider":"smtp","smtp":{"host":"h","oauth":{"provider":"yahoo"}}}`,
		"smtp.oauth.tenant": `{"name":"x","provider":"smtp","smtp":{"host":"h","oauth":{"provider":"entra","client_id":"c",` +
			`"client_secret":"s"}}}`,
	}
	for field, doc := range tests {
		_, err := all.ParseConnection([]byte(doc))
		var e *adapters.InvalidError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v is no InvalidError", field, err)
			continue
		}
		found := false
		for _, f := range e.Fields {
			found = found || f.Field == field
			if f.Text.String() == "" || f.Text.In("it") == "" || f.Text.String() == f.Text.In("it") {
				t.Errorf("%s: %+v lacks a language", field, f)
			}
		}
		if !found {
			t.Errorf("%s is not named: %v", field, err)
		}
		if en, it := e.In("en"), e.In("it-IT"); en != err.Error() || it == en || strings.Count(it, "\n") != strings.Count(en, "\n") {
			t.Errorf("%s: %q and %q", field, en, it)
		}
	}
}
