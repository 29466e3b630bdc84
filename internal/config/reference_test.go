package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

var update = flag.Bool("update", false, "write docs/configuration.md and docs/it/configuration.md")

// A reference is testdata/reference.toml: every setting, in both languages.
type reference struct {
	Title, Intro, End both
	Section           []referenceTable
}

type referenceTable struct {
	Table         string
	List          bool
	Title         both
	Before, After both
	Setting       []referenceRow
}

type referenceRow struct {
	Name, Default string
	DefaultIt     string `toml:"default_it"`
	En, It        string
}

type both struct{ En, It string }

func (b both) in(lang string) string {
	if lang == "it" {
		return strings.TrimSpace(b.It)
	}
	return strings.TrimSpace(b.En)
}

func readReference(t *testing.T) (r reference) {
	t.Helper()
	known, err := toml.DecodeFile(filepath.Join("testdata", "reference.toml"), &r)
	if err != nil || len(known.Undecoded()) > 0 || len(r.Section) < 10 {
		t.Fatalf("%v, %v, %d sections", err, known.Undecoded(), len(r.Section))
	}
	return r
}

// page is the guide in a language.
func (r *reference) page(lang string) string {
	head, brackets := "| Setting | Default | Meaning |", map[bool][2]string{false: {"[", "]"}, true: {"[[", "]]"}}
	if lang == "it" {
		head = "| Impostazione | Valore predefinito | Significato |"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", r.Title.in(lang), r.Intro.in(lang))
	for _, s := range r.Section {
		title := s.Title.in(lang)
		if s.Table != "" {
			title = "`" + brackets[s.List][0] + s.Table + brackets[s.List][1] + "`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		if before := s.Before.in(lang); before != "" {
			fmt.Fprintf(&b, "%s\n\n", before)
		}
		fmt.Fprintf(&b, "%s\n|---|---|---|\n", head)
		for _, x := range s.Setting {
			value := x.Default
			if lang == "it" && x.DefaultIt != "" {
				value = x.DefaultIt
			}
			if value != "" {
				value += " "
			}
			fmt.Fprintf(&b, "| `%s` | %s| %s |\n", x.Name, value, both{x.En, x.It}.in(lang))
		}
		if after := s.After.in(lang); after != "" {
			fmt.Fprintf(&b, "\n%s\n", after)
		}
	}
	return b.String() + "\n" + r.End.in(lang) + "\n"
}

// The guides of the configuration are what the reference says.
func TestReference(t *testing.T) {
	t.Parallel()
	r := readReference(t)
	for lang, file := range map[string]string{"en": "configuration.md", "it": "it/configuration.md"} {
		file = filepath.Join("..", "..", "docs", filepath.FromSlash(file))
		if *update {
			if err := os.WriteFile(file, []byte(r.page(lang)), 0o644); err != nil { //nolint:gosec // a source is readable
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != r.page(lang) {
			t.Errorf("%s is not what testdata/reference.toml says (%v): go test ./internal/config -run Reference -update", file, err)
		}
	}
}

// The reference has every setting, in both languages, and none that does not exist.
func TestReferenceHasEverySetting(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, s := range readReference(t).Section {
		prefix := ""
		if s.Table != "" {
			prefix = s.Table + "."
		}
		for _, x := range s.Setting {
			if documented[prefix+x.Name] || x.En == "" || x.It == "" || x.En == x.It && !strings.HasPrefix(x.En, "`") {
				t.Errorf("%s%s is there twice, or not in both languages", prefix, x.Name)
			}
			documented[prefix+x.Name] = true
		}
	}
	var settings []string
	var walk func(prefix string, v reflect.Type)
	walk = func(prefix string, v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			name := f.Tag.Get("toml")
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			switch {
			case name == "-":
			case name == "":
				t.Errorf("%s%s has no toml tag", prefix, f.Name)
			case inner.Kind() == reflect.Struct:
				walk(prefix+name+".", inner)
			default:
				settings = append(settings, prefix+name)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	for _, name := range settings {
		if !documented[name] {
			t.Errorf("testdata/reference.toml lacks %s", name)
		}
	}
	for name := range documented {
		if !slices.Contains(settings, name) {
			t.Errorf("testdata/reference.toml has %s, which is no setting", name)
		}
	}
}

var (
	plainDefault = regexp.MustCompile("^(?:`([^`]+)`|([0-9,]+))$")
	bareValue    = regexp.MustCompile(`^(?:[0-9]+|true|false|\[.*\])$`)
)

// What the reference says to be the default can be written so in a file.
func TestReferenceDefaults(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	set := 0
	for _, s := range readReference(t).Section {
		if s.List {
			continue // a listener has an address of its own
		}
		if s.Table != "" {
			fmt.Fprintf(&file, "[%s]\n", s.Table)
		}
		for _, x := range s.Setting {
			m := plainDefault.FindStringSubmatch(x.Default)
			if m == nil {
				continue
			}
			value := m[1] + strings.ReplaceAll(m[2], ",", "")
			if !bareValue.MatchString(value) {
				value = `"` + value + `"`
			}
			set++
			fmt.Fprintf(&file, "%s = %s\n", x.Name, value)
		}
	}
	name := filepath.Join(t.TempDir(), "postino.toml")
	if err := os.WriteFile(name, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(name, func(string) string { return "" })
	if err == nil {
		err = c.Validate()
	}
	if err != nil || set < 30 {
		t.Errorf("%d defaults: %v\n%s", set, err, file.String())
	}
}
