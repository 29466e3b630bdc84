// Package locale holds every sentence that a person can meet, in one file a
// language, keyed by a stable code such as "smtp.login_refused".
//
// English stands beside the rule that uses it (see mime.Text); en.toml is made
// from there by the test of this package. A further language is one further
// file. Placeholders are names in braces, {host}; a text that counts has the
// plural forms of CLDR, chosen by its argument "count".
package locale

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/nicksnyder/go-i18n/v2/i18n/template"
	"golang.org/x/text/language"
)

// English is the language of the sources, and the one to fall back on.
const English = "en"

//go:embed *.toml
var files embed.FS

// A catalogue is what the files say.
type catalogue struct {
	languages  []string                     // sorted
	plain      map[string]map[string]string // by language and code: the texts that do not count
	localizers map[string]*i18n.Localizer   // for those that do
}

// loaded reads the files at the first use, once.
var loaded = sync.OnceValues(func() (*catalogue, error) { return load(files) })

func load(files fs.FS) (*catalogue, error) {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, err
	}
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	c := &catalogue{plain: make(map[string]map[string]string), localizers: make(map[string]*i18n.Localizer)}
	for _, name := range names {
		file, err := bundle.LoadMessageFileFS(files, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		lang := strings.TrimSuffix(name, ".toml")
		c.languages, c.plain[lang] = append(c.languages, lang), make(map[string]string)
		for _, m := range file.Messages {
			if m.Zero+m.One+m.Two+m.Few+m.Many == "" {
				c.plain[lang][m.ID] = m.Other
			}
		}
	}
	slices.Sort(c.languages)
	for _, lang := range c.languages {
		c.localizers[lang] = i18n.NewLocalizer(bundle, lang)
	}
	return c, nil
}

// Languages returns the languages that there are, sorted: "en", "it".
func Languages() []string {
	c, err := loaded()
	if err != nil {
		return []string{English}
	}
	return slices.Clone(c.languages)
}

// Match returns the language of the catalogue for a tag as browsers, programs
// and environments write it ("it", "it-IT", "it_IT.UTF-8"); English for one
// that the catalogue does not have.
func Match(tag string) string {
	if i := strings.IndexAny(tag, "-_.@"); i >= 0 {
		tag = tag[:i]
	}
	tag = strings.ToLower(tag)
	// C and POSIX name no language (POSIX 8.2): where cron and services run, the
	// files need not be read.
	if tag == "" || tag == English || tag == "c" || tag == "posix" {
		return English
	}
	if tag == Pseudo && inTest() {
		return tag
	}
	if c, err := loaded(); err == nil && slices.Contains(c.languages, tag) {
		return tag
	}
	return English
}

// Text returns the text of code in lang, one of Languages, with args (names
// and values in turn) in place of its placeholders. It returns false where
// lang has no such text.
func Text(lang, code string, args []any) (string, bool) {
	c, err := loaded()
	if err != nil {
		return "", false
	}
	return c.text(lang, code, args)
}

func (c *catalogue) text(lang, code string, args []any) (string, bool) {
	if s := c.plain[lang][code]; s != "" { // a localizer compares languages again at each call
		return Expand(s, lang, args), true
	}
	if lang == Pseudo {
		return c.pseudo(code, args)
	}
	if c.localizers[lang] == nil {
		return "", false
	}
	// An error beside a text is a plural form that the file lacks, and the text is the general form.
	s, tag, _ := c.localize(lang, code, data{lang, args}, braces{})
	return s, s != "" && tag.String() == lang
}

// localize returns a text that counts, with the language that it was found in.
func (c *catalogue) localize(lang, code string, d data, p template.Parser) (string, language.Tag, error) {
	return c.localizers[lang].LocalizeWithTag(&i18n.LocalizeConfig{MessageID: code, TemplateData: d, PluralCount: count(d.args),
		TemplateParser: p})
}

// count returns the argument that decides the plural form, nil without one.
func count(args []any) any {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "count" {
			return args[i+1]
		}
	}
	return nil
}

// data is what a template is filled with.
type data struct {
	lang string
	args []any
}

// braces makes go-i18n use the placeholders of Expand in place of text/template.
type braces struct{}

func (braces) Cacheable() bool { return true }

func (braces) Parse(src, _, _ string) (template.ParsedTemplate, error) { return parsed(src), nil }

type parsed string

func (p parsed) Execute(v any) (string, error) {
	d, ok := v.(data)
	if !ok {
		return "", fmt.Errorf("locale: a template is filled with %T", v)
	}
	return Expand(string(p), d.lang, d.args), nil
}
