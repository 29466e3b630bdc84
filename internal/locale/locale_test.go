package locale

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/BurntSushi/toml"
)

var update = flag.Bool("update", false, "write en.toml from the sources and sort the other files")

const head = "# The texts by code, one a line. English stands in the Go sources: go test ./internal/locale -update\n" +
	"# makes en.toml from them and sorts the other languages.\n"

// forms returns the plural forms of an entry by name; a plain string is "other".
func forms(v any) (map[string]string, error) {
	switch v := v.(type) {
	case string:
		return map[string]string{"other": v}, nil
	case map[string]any:
		m := make(map[string]string)
		for name, form := range v {
			s, ok := form.(string)
			if !ok || !slices.Contains([]string{"zero", "one", "two", "few", "many", "other"}, name) {
				return nil, fmt.Errorf("%s is no plural form", name)
			}
			m[name] = s
		}
		return m, nil
	}
	return nil, fmt.Errorf("%T is no text", v)
}

// write returns a file of the catalogue, sorted by code.
func write(entries map[string]any) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, code := range slices.Sorted(keys(entries)) {
		if s, ok := entries[code].(string); ok {
			fmt.Fprintf(&b, "%q = %s\n", code, quote(s))
			continue
		}
		plural, err := forms(entries[code])
		if err != nil {
			continue // told by the comparison
		}
		var list []string
		for _, name := range slices.Sorted(keys(plural)) {
			list = append(list, name+" = "+quote(plural[name]))
		}
		fmt.Fprintf(&b, "%q = { %s }\n", code, strings.Join(list, ", "))
	}
	return b.Bytes()
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// quote returns s as a basic string of TOML.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s) + `"`
}

// uncounted are texts with a number of which no word depends on it, or that is a limit of
// many.
func uncounted() []string {
	return []string{"cli.limit_concurrency", "cli.limit_per_minute", "search.too_long", "search.too_many", "web.bulk_done_skipped",
		"web.bulk_progress", "web.conn_more", "web.conn_waiting", "web.held_page", "web.hours_ago", "web.in_hours", "web.in_minutes",
		"web.mail_page", "web.minutes_ago", "web.more_than", "web.ms", "web.per_minute",
		"cli.webhook_waiting", "web.chart_waiting_words", "web.most_a_day", "web.most_an_hour", "web.most_waiting"}
}

// A text that counts has a form for one and one for the others, in every language.
func TestPlurals(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"en.toml", "it.toml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var entries map[string]any
		if err := toml.Unmarshal(b, &entries); err != nil {
			t.Fatal(err)
		}
		for code, v := range entries {
			f, err := forms(v)
			if err != nil {
				t.Errorf("%s: %s: %v", name, code, err)
			}
			counts := strings.Contains(f["other"], "{count}") || strings.Contains(f["other"], "{n}")
			if counts && f["one"] == "" && !slices.Contains(uncounted(), code) {
				t.Errorf("%s: %s counts (%q) and has no form for one: mime.NewCount", name, code, f["other"])
			}
		}
	}
}

// TestCatalogue compares the texts of the sources with the files: en.toml says
// the same, every other language has every text with the same placeholders.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	found, faults := collect(t, filepath.Join("..", ".."))
	faults = append(faults, collectTemplates(t, filepath.Join("..", ".."), found)...)
	for _, f := range faults {
		t.Error(f)
	}
	if len(found) == 0 {
		t.Fatal("no text was found in the sources")
	}
	english := make(map[string]any, len(found))
	for code, m := range found {
		english[code] = m.forms[0]
		if len(m.forms) == 2 {
			english[code] = map[string]any{"one": m.forms[0], "other": m.forms[1]}
		}
	}
	if *update {
		if err := os.WriteFile("en.toml", write(english), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob("*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var entries map[string]any
		if err := toml.Unmarshal(b, &entries); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sorted := write(entries)
		if *update {
			if err := os.WriteFile(name, sorted, 0o644); err != nil {
				t.Fatal(err)
			}
		} else if !bytes.Equal(b, sorted) {
			t.Errorf("%s is not sorted: go test ./internal/locale -update", name)
		}
		for _, f := range compare(english, entries, name == "en.toml") {
			t.Errorf("%s: %s", name, f)
		}
	}
}

// compare returns what is wrong with the entries of a language.
func compare(english, entries map[string]any, same bool) []string {
	var faults []string
	for code, e := range english {
		want, _ := forms(e)
		v, ok := entries[code]
		if !ok {
			faults = append(faults, fmt.Sprintf("%s is missing: %q", code, want["other"]))
			continue
		}
		got, err := forms(v)
		switch {
		case err != nil:
			faults = append(faults, fmt.Sprintf("%s: %v", code, err))
			continue
		case got["other"] == "" || len(want) > 1 && got["one"] == "":
			faults = append(faults, code+" lacks a plural form")
		case same && fmt.Sprint(got) != fmt.Sprint(want):
			faults = append(faults, fmt.Sprintf("%s is not what the sources say: go test ./internal/locale -update", code))
		}
		names := placeholders(want)
		for form, s := range got {
			if have := placeholders(map[string]string{form: s}); form == "other" && !slices.Equal(have, names) ||
				slices.ContainsFunc(have, func(p string) bool { return !slices.Contains(names, p) }) {
				faults = append(faults, fmt.Sprintf("%s has the placeholders %v and English has %v", code, have, names))
			}
		}
	}
	for code := range entries {
		if english[code] == nil {
			faults = append(faults, code+" is used nowhere")
		}
	}
	slices.Sort(faults)
	return faults
}

// placeholders returns the names in all forms, sorted, each once.
func placeholders(forms map[string]string) []string {
	var names []string
	for _, s := range forms {
		names = append(names, placeholdersOf(s)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestCompare(t *testing.T) {
	t.Parallel()
	english := map[string]any{"a.host": "{host} is down", "a.n": map[string]any{"one": "one", "other": "{count} of {all}"}}
	for _, c := range []struct {
		name    string
		entries map[string]any
		want    string
	}{
		{"right", map[string]any{"a.host": "{host} non c'è", "a.n": map[string]any{"one": "uno", "other": "{count} su {all}"}}, ""},
		{"missing", map[string]any{"a.host": "{host}"}, `[a.n is missing: "{count} of {all}"]`},
		{"unused", map[string]any{"a.host": "{host}", "a.n": map[string]any{"one": "uno", "other": "{count} {all}"}, "a.x": "x"},
			"[a.x is used nowhere]"},
		{"no argument", map[string]any{"a.host": "giù", "a.n": map[string]any{"one": "uno", "other": "{count} {all}"}},
			"[a.host has the placeholders [] and English has [host]]"},
		{"other argument", map[string]any{"a.host": "{host}{port}", "a.n": map[string]any{"one": "uno", "other": "{count} {all}"}},
			"[a.host has the placeholders [host port] and English has [host]]"},
		{"no plural", map[string]any{"a.host": "{host}", "a.n": "{count} {all}"}, "[a.n lacks a plural form]"},
	} {
		if got := compare(english, c.entries, false); c.want == "" && got != nil || c.want != "" && fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	c, err := load(fstest.MapFS{
		"en.toml": {Data: []byte(`"a.n" = { one = "{count} file", other = "{count} files in {dir}" }`)},
		"it.toml": {Data: []byte(`"a.n" = { one = "un file", other = "{count} file in {dir}" }`)},
		"de.toml": {Data: []byte(`"a.n" = { one = "eine Datei", other = "{count} Dateien in {dir}" }`)},
	})
	if err != nil || fmt.Sprint(c.languages) != "[de en it]" {
		t.Fatal(err, c)
	}
	for _, x := range []struct {
		lang, code string
		count      int
		want       string
	}{
		{"it", "a.n", 1, "un file"},
		{"it", "a.n", 2, "2 file in /x"},
		{"de", "a.n", 1, "eine Datei"},
		{"de", "a.n", 0, "0 Dateien in /x"},
		{"it", "a.n", 1_000_000, "1000000 file in /x"}, // CLDR has a form "many" here, which the file lacks
		{"it", "a.none", 1, ""},
		{"fr", "a.n", 1, ""},
	} {
		if got, ok := c.text(x.lang, x.code, []any{"count", x.count, "dir", "/x"}); got != x.want || ok != (x.want != "") {
			t.Errorf("%s %s %d: %q %v, want %q", x.lang, x.code, x.count, got, ok, x.want)
		}
	}
	if _, err := load(fstest.MapFS{"it.toml": {Data: []byte(`= `)}}); err == nil {
		t.Error("a broken file was read")
	}
	if _, err := loaded(); err != nil {
		t.Error(err)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"": "en", "it": "it", "it-IT": "it", "IT_it.UTF-8": "it", "en-GB": "en", "C": "en",
		"C.UTF-8": "en", "POSIX": "en", "xx": "en", "italian": "en"} {
		if got := Match(tag); got != want {
			t.Errorf("%q: %s, want %s", tag, got, want)
		}
	}
}

type both struct{ en, it string }

func (b both) In(lang string) string {
	if lang == "it" {
		return b.it
	}
	return b.en
}

func TestExpand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template, want string
		args           []any
	}{
		{"no arguments", "no arguments", nil},
		{"{a} and {b}", "1 and x", []any{"a", 1, "b", "x"}},
		{"{a}{a}", "{b}{b}", []any{"a", "{b}", "b", "never"}},
		{"{a", "{a", []any{"a", 1}},
		{"{{a}}", "{1}", []any{"a", 1}},
		{"{unknown} {a}", "{unknown} true", []any{"a", true}},
		{"{a}", "sì", []any{"a", both{"yes", "sì"}}},
		{"{a}", "{a}", []any{"a"}},
	} {
		if got := Expand(c.template, "it", c.args); got != c.want {
			t.Errorf("%q: %q, want %q", c.template, got, c.want)
		}
	}
}

func BenchmarkText(b *testing.B) {
	args := []any{"hint", "x", "scope", "y"}
	for b.Loop() {
		if _, ok := Text("it", "google.hint_scope", args); !ok {
			b.Fatal("no text")
		}
	}
}
