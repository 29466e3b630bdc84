package repotest

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/markdown"
)

// pages are the Markdown files for people, with slashes, relative to root.
func pages(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			rel, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, filepath.ToSlash(rel))
		}
	}
	if len(files) < 25 {
		t.Fatalf("only %d pages found", len(files))
	}
	return files
}

// A guide is what a page is made of: the levels and ids of its headings, its blocks
// of code, the rows of its tables, its words.
type guide struct {
	levels []int
	ids    []string
	code   []string
	rows   []int // cells of each row
	words  string
}

var heading = regexp.MustCompile(`^(#{1,6}) (.+)$`)

func readGuide(page string) (g guide) {
	var words, code strings.Builder
	fence := false
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			if fence = !fence; !fence {
				g.code = append(g.code, code.String())
				code.Reset()
				continue
			}
			code.WriteString(line)
		case fence:
			code.WriteString(line)
		default:
			words.WriteString(line)
			if m := heading.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				g.levels = append(g.levels, len(m[1]))
				g.ids = append(g.ids, markdown.ID(m[2]))
			}
			if strings.HasPrefix(line, "|") {
				g.rows = append(g.rows, strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"))
			}
		}
	}
	g.words = words.String()
	return g
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link of a page leads to a file that is there, and to a heading in it.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	found := 0
	for _, file := range pages(t) {
		g := readGuide(read(t, file))
		ids := slices.Clone(g.ids)
		slices.Sort(ids)
		if len(slices.Compact(ids)) != len(g.ids) && file != "CHANGELOG.md" {
			t.Errorf("%s: two headings have the same address", file)
		}
		for _, m := range link.FindAllStringSubmatch(g.words, -1) {
			target, part, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			found++
			to := file
			if target != "" {
				to = path.Join(path.Dir(file), target)
			}
			if there, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(to))); err != nil || len(there) == 0 {
				t.Errorf("%s: %s leads nowhere", file, m[1])
				continue
			}
			if part != "" && !slices.Contains(readGuide(read(t, to)).ids, part) {
				t.Errorf("%s: %s names no heading of %s", file, m[1], to)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d links were found", found)
	}
}

// english is the page that one of docs/it translates.
func english(file string) string {
	if file == "docs/it/monitoring.md" {
		return "docs/monitoring/README.md"
	}
	return "docs/" + path.Base(file)
}

// Every guide for administrators has an Italian one, with the headings, the code and
// the tables of the English one. How postino is built is for developers.
func TestGuidesAreTranslatedWhole(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for _, file := range all {
		if path.Dir(file) == "docs" && file != "docs/architecture.md" && file != "docs/providers.md" &&
			!slices.Contains(all, "docs/it/"+path.Base(file)) {
			t.Errorf("%s has no Italian one in docs/it", file)
		}
		if path.Dir(file) != "docs/it" {
			continue
		}
		en, it := readGuide(read(t, english(file))), readGuide(read(t, file))
		if !slices.Equal(en.levels, it.levels) {
			t.Errorf("%s: its headings are %v, in English %v", file, it.levels, en.levels)
		}
		if !slices.Equal(en.rows, it.rows) {
			t.Errorf("%s: its tables have %d rows, in English %d, or other columns", file, len(it.rows), len(en.rows))
		}
		for i := range max(len(en.code), len(it.code)) {
			if i >= len(en.code) || i >= len(it.code) || en.code[i] != it.code[i] {
				t.Errorf("%s: block of code %d of %d is another one than in English", file, i+1, len(it.code))
				break
			}
		}
	}
}
