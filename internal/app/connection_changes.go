package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/jsonfield"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ConnectionChanges are the settings of a connection that a command line names.
type ConnectionChanges struct {
	File     string         // JSON with settings, - for standard input; the others overrule it
	Settings map[string]any // by JSON path, such as smtp.host
	Mailbox  *string        // of graph or gmail
	Set      []string       // PATH=VALUE, the value as JSON or as text
	Secret   SecretSource
}

// A SecretSource is where a secret comes from: never from the command line, which
// all users of the machine can read.
type SecretSource struct {
	File   string // - for standard input
	Env    string // name of a variable
	Prompt bool
	Path   string // of the secret's setting; empty: the provider's usual one
}

func (s SecretSource) given() bool { return s.File != "" || s.Env != "" || s.Prompt }

// none reports that nothing was given.
func (c *ConnectionChanges) none() bool {
	return c.File == "" && len(c.Settings) == 0 && c.Mailbox == nil && len(c.Set) == 0 && !c.Secret.given()
}

// document is the JSON merge patch of all changes, for a connection of a provider;
// empty: the changes themselves say which.
func (k ConnectionCommands) document(ctx context.Context, c *ConnectionChanges, provider string) (map[string]any, error) {
	doc := map[string]any{}
	if c.File != "" {
		if c.File == "-" && c.Secret.File == "-" {
			return nil, wrong(ExitUsage, mime.NewText("cli.stdin_twice", "standard input cannot be both the settings and the secret"))
		}
		unreadable := text("cli.connection_file_unreadable", "the connection file cannot be read")
		notJSON := text("cli.connection_not_json", "the connection is no JSON object")
		if provider != "" {
			unreadable = text("cli.changes_file_unreadable", "the file of the changes cannot be read")
			notJSON = text("cli.changes_not_json", "the changes are no JSON object")
		}
		content, err := k.read(unreadable, c.File)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &doc); err != nil || doc == nil {
			return nil, exit(ExitConfig, texterr.Wrap(notJSON, jsonError(err)))
		}
		if err := fieldTwice(content); err != nil {
			return nil, exit(ExitConfig, err)
		}
	}
	for path, v := range c.Settings {
		connections.SetPath(doc, path, v)
	}
	for _, s := range c.Set {
		path, value, ok := strings.Cut(s, "=")
		if !ok || path == "" {
			return nil, wrong(ExitUsage, mime.NewText("cli.set_form", "--set {value}: write it as PATH=VALUE, such as smtp.port=465", "value",
				strconv.Quote(path)))
		}
		if isSecretPath(path) {
			return nil, wrong(ExitUsage, mime.NewText("cli.set_secret",
				"{path} is a secret, and all users of this machine can read a command line: use --secret-file, --secret-env or --secret-prompt",
				"path", path))
		}
		connections.SetPath(doc, path, jsonOrText(value))
	}
	if provider == "" {
		provider = inferProvider(doc)
	}
	if c.Mailbox != nil {
		path := "graph.mailbox"
		if provider == string(adapters.Gmail) {
			path = "gmail.subject"
		}
		connections.SetPath(doc, path, *c.Mailbox)
	}
	if c.Secret.given() {
		secret, err := k.secret(ctx, c.Secret)
		if err != nil {
			return nil, err
		}
		path := c.Secret.Path
		if path == "" {
			path = usualSecret(provider)
		}
		if !isSecretPath(path) {
			return nil, wrong(ExitUsage, mime.NewText("cli.not_a_secret", "{path} is no secret of a connection", "path", strconv.Quote(path)))
		}
		connections.SetPath(doc, path, secret)
	}
	return doc, nil
}

// fieldTwice refuses JSON that has a field two times: one of the values would have no effect.
func fieldTwice(content []byte) error {
	if name, above, twice := jsonfield.Twice(content); twice {
		return texterr.New(jsonfield.TwiceMessage(strings.Join(append(above, name), ".")))
	}
	return nil
}

// jsonError is err, or that the document is null.
func jsonError(err error) error {
	if err == nil {
		err = errors.New("null")
	}
	return err
}

// secret reads a secret from where the source says.
func (k ConnectionCommands) secret(ctx context.Context, s SecretSource) (string, error) {
	switch {
	case s.File != "":
		b, err := k.read(text("cli.secret_file_unreadable", "the file of the secret cannot be read"), s.File)
		if err != nil {
			return "", err
		}
		if v := strings.TrimRight(string(b), "\r\n"); v != "" {
			return v, nil
		}
		return "", wrong(ExitNoInput, mime.NewText("cli.secret_empty", "the secret is empty"))
	case s.Env != "":
		if v := os.Getenv(s.Env); v != "" {
			return v, nil
		}
		return "", wrong(ExitNoInput, mime.NewText("cli.secret_env_empty", "the environment has no variable {name}, or it is empty", "name",
			strconv.Quote(s.Env)))
	}
	p, err := prompt.New(k.Stdin, k.Stdout)
	if err != nil {
		return "", wrong(ExitUsage, mime.NewText("cli.secret_no_terminal",
			"there is no terminal to ask for the secret: use --secret-file or --secret-env"))
	}
	v, err := p.Secret(ctx, text("cli.ask_secret", "Secret (it is not shown)").In(k.Language))
	if err == nil && v == "" {
		err = wrong(ExitNoInput, mime.NewText("cli.secret_empty", "the secret is empty"))
	}
	return v, err
}

// inferProvider is the provider of the settings in a document.
func inferProvider(doc map[string]any) string {
	if p, ok := doc["provider"].(string); ok && p != "" {
		return p
	}
	for _, p := range []adapters.Provider{adapters.Graph, adapters.Gmail, adapters.SMTP} {
		if _, ok := doc[string(p)].(map[string]any); ok {
			doc["provider"] = string(p)
			return string(p)
		}
	}
	return ""
}

// usualSecret is the secret that most connections of a provider have.
func usualSecret(provider string) string {
	switch adapters.Provider(provider) {
	case adapters.Graph:
		return "graph.client_secret"
	case adapters.Gmail:
		return "gmail.service_account_json"
	}
	return "smtp.password"
}

// isSecretPath reports the settings that hold a secret themselves
// (adapters.Connection.Secrets).
func isSecretPath(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return slices.ContainsFunc([]string{"client_secret", "certificate_password", "service_account_json", "password"},
		func(name string) bool { return strings.EqualFold(name, last) })
}

// jsonOrText is the value as JSON, or the text as it stands.
func jsonOrText(value string) any {
	var v any
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		return value
	}
	return v
}
