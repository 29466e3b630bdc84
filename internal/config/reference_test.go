package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// docs/configuration.md has a row for every setting, under the heading of its
// table, and none for what is no setting.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	table := ""
	for line := range strings.Lines(string(doc)) {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			table = ""
			if name, ok := strings.CutPrefix(strings.TrimSpace(h), "`["); ok {
				table = strings.Trim(name, "[]`") + "."
			}
		}
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := table + strings.Trim(cells[1], " `")
		if documented[name] {
			t.Errorf("%s has two rows", name)
		}
		if strings.TrimSpace(cells[3]) == "" {
			t.Errorf("%s: its row is empty", name)
		}
		documented[name] = true
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
			t.Errorf("%s has no row in docs/configuration.md", name)
		}
	}
	for name := range documented {
		if !slices.Contains(settings, name) {
			t.Errorf("docs/configuration.md has %s, which is no setting", name)
		}
	}
}
