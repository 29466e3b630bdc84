package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	paths "path"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/mime"
)

//go:embed templates/*.html
var templates embed.FS

// shared begins the names of the templates that every screen has.
const shared = "templates/parts"

// screens are the templates, parsed once a language at its first use.
type screens struct {
	languages map[string]func() (map[string]*template.Template, error)
}

func newScreens(a *assets) *screens {
	s := &screens{languages: map[string]func() (map[string]*template.Template, error){}}
	for _, lang := range locale.Languages() {
		s.languages[lang] = sync.OnceValues(func() (map[string]*template.Template, error) {
			return parse(templates, functions(a, func(t mime.Text) string { return t.In(lang) }))
		})
	}
	return s
}

// functions are those of the templates; say puts a text in their language.
func functions(a *assets, say func(mime.Text) string) template.FuncMap {
	buttons := inButtons(say)
	return template.FuncMap{
		"t": func(code, english string, args ...any) string {
			return say(mime.Text{Code: code, English: english, Args: args})
		},
		"count": func(code string, n int, one, other string, args ...any) string { // as mime.NewCount
			if n == 1 {
				other = one
			}
			return say(mime.Text{Code: code, English: other, Args: append([]any{"count", n}, args...)})
		},
		"asset":    a.path,
		"icon":     a.icon,
		"path":     path,
		"args":     named,
		"field":    newField,
		"sentence": func(s string) string { return sentenceCase(buttons(s)) },
		"list":     func(all ...any) []any { return all },
	}
}

// sentenceCase makes a sentence of a text as logs and commands have it: it begins with
// a capital letter, where its first word is no name, and ends with a full stop.
func sentenceCase(s string) string {
	first, _, _ := strings.Cut(s, " ")
	name := strings.ContainsAny(strings.TrimRight(first, ".,:;"), ".@/_=\"0123456789[") || strings.HasPrefix(first, "'") || first == "postino"
	if r, size := utf8.DecodeRuneInString(s); unicode.IsLower(r) && !name {
		s = string(unicode.ToUpper(r)) + s[size:]
	}
	if s != "" && !strings.ContainsAny(s[len(s)-1:], ".:!?") && !strings.HasSuffix(s, "…") {
		s += "."
	}
	return s
}

// parse returns the screens by name: each file but the shared ones is one.
func parse(files fs.FS, functions template.FuncMap) (map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	common, err := template.New("").Funcs(functions).ParseFS(files, "templates/base.html", shared+"*.html")
	if err != nil {
		return nil, err
	}
	out := make(map[string]*template.Template, len(names))
	for _, name := range names {
		if strings.HasPrefix(name, shared) || name == "templates/base.html" {
			continue
		}
		t, err := common.Clone()
		if err == nil {
			t, err = t.ParseFS(files, name)
		}
		if err != nil {
			return nil, err
		}
		out[strings.TrimSuffix(paths.Base(name), ".html")] = t
	}
	return out, nil
}

// named are the arguments of a part of a screen, names and values in turn.
func named(pairs ...any) (map[string]any, error) {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("web: the name of an argument is %T", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// A frame is what a template is executed with.
type frame struct {
	*visit
	Data   any
	Form   *form
	Notice string
}

// show answers with a screen.
func (v *visit) show(name string, data any) error { return v.showStatus(http.StatusOK, name, data) }

// showForm answers with a screen that has a form: 422 where it was refused.
func (v *visit) showForm(name string, f *form, data any) error {
	status := http.StatusOK
	if f.refused() {
		status = f.status
	}
	return v.write(status, name, &frame{visit: v, Data: data, Form: f})
}

func (v *visit) showStatus(status int, name string, data any) error {
	return v.write(status, name, &frame{visit: v, Data: data})
}

// write executes a template whole before anything is sent: half a screen is none.
func (v *visit) write(status int, name string, p *frame) error {
	b, err := v.execute(status, name, p)
	if err != nil {
		return err
	}
	v.htmlHeaders()
	return compressed(v.w, v.r, status, b)
}

func (v *visit) htmlHeaders() {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	h.Add("Vary", "Cookie, Accept-Language, Accept-Encoding")
}

// in returns the screens in a language of the catalogue.
func (s *screens) in(lang string) (map[string]*template.Template, error) {
	set, ok := s.languages[lang]
	if !ok {
		set = s.languages[locale.English]
	}
	return set()
}

// execute returns a screen.
func (v *visit) execute(status int, name string, p *frame) ([]byte, error) {
	if code := v.cookie(noticeCookie); code != "" && status < http.StatusBadRequest {
		if p.Notice = notice(code).In(v.lang); p.Notice != "" {
			v.setCookie(noticeCookie, "", -1)
		}
	}
	return v.part(name, "base", p)
}

// part returns one part of a screen.
func (v *visit) part(name, part string, p any) ([]byte, error) {
	all, err := v.s.screens.in(v.lang)
	if err != nil {
		return nil, err
	}
	t := all[name]
	if t == nil {
		return nil, fmt.Errorf("web: there is no template %s", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
