package repotest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMonitoringNamesMetrics: what docs/monitoring asks Prometheus for is what
// the program counts, and what it counts stands in the table there.
func TestMonitoringNamesMetrics(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	counted := map[string]bool{}
	full, short := regexp.MustCompile(`"postino_([a-z_]+)"`), regexp.MustCompile(`\bd\("([a-z_]+)",\s+"`)
	for _, dir := range []string{"api", "app", "watch"} {
		files, err := filepath.Glob(filepath.Join(root, "internal", dir, "*.go"))
		if err != nil || files == nil {
			t.Fatal(dir, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(f, "_test.go") || !strings.Contains(string(b), "client_golang/prometheus") {
				continue
			}
			for _, re := range []*regexp.Regexp{full, short} {
				for _, m := range re.FindAllStringSubmatch(string(b), -1) {
					counted["postino_"+m[1]] = true
				}
			}
		}
	}
	if len(counted) < 15 {
		t.Fatalf("only %d metrics found: %v", len(counted), counted)
	}
	name := regexp.MustCompile(`\bpostino_[a-z_]+`)
	for _, file := range []string{"alerts.yml", "alerts_test.yml", "grafana.json", "README.md"} {
		b, err := os.ReadFile(filepath.Join(root, "docs", "monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(b) {
			t.Errorf("%s is no JSON", file)
		}
		named := name.FindAllString(string(b), -1)
		for _, m := range named {
			m = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m, "_bucket"), "_sum"), "_count")
			if !counted[m] {
				t.Errorf("%s names %s, which is not counted", file, m)
			}
		}
		if file != "README.md" {
			continue
		}
		for m := range counted {
			if !slices.Contains(named, m) {
				t.Errorf("%s lacks %s", file, m)
			}
		}
	}
}
