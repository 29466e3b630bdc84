package repotest

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const row = `[A-L][0-9]*(?:\.[0-9]+[a-z]?)?`

var (
	rowOfTable   = regexp.MustCompile(`(?m)^\| (` + row + `) \|`)
	stepOfTable  = regexp.MustCompile(`(?m)^\| ([0-9][a-z]?) [a-z]+ \|`)
	sectionTitle = regexp.MustCompile(`(?m)^#+ ([A-L][0-9]*)\. `)

	// "contracts B3 steps 2 to 4, F1-F5 and C5.4" in comments and strings.
	citation = regexp.MustCompile(`(?i)\bcontracts ` + reference + `(?:(?:, | and |; )` + reference + `)*`)
	// "(B7.5, F30)" alone, as the fake servers cite; a whole section only with its number.
	alone     = regexp.MustCompile(`\((` + numbered + `(?:(?:, | and )` + numbered + `)*)[);,]`)
	oneRow    = regexp.MustCompile(row)
	rangeRow  = regexp.MustCompile(`^([A-L](?:[0-9]+\.)?)([0-9]+)-[A-L](?:[0-9]+\.)?([0-9]+)$`)
	wordOfRow = regexp.MustCompile(`^` + row + `(?:-` + row + `)?`)
	stepOf    = regexp.MustCompile(`\bsteps? ([0-9])(?: to ([0-9]))?`)
)

const (
	numbered  = `[A-L][0-9]+(?:\.[0-9]+[a-z]?)?`
	reference = row + `\b(?:-` + row + `)?(?: steps? [0-9](?: to [0-9])?)?`
)

// Each row that code cites stands in docs/providers.md.
func TestCitedRowsExist(t *testing.T) {
	t.Parallel()
	known := knownRows(read(t, "docs/providers.md"))
	fset := token.NewFileSet()
	cited := map[string]bool{}
	for _, path := range goFiles(t) {
		if strings.HasPrefix(path, "internal/repotest/") {
			continue // its tests cite rows that are none
		}
		f := parse(t, fset, path)
		check := func(pos token.Pos, rows []string) {
			for _, r := range rows {
				cited[r] = true
				if !known[r] {
					t.Errorf("%s: docs/providers.md has no row %s", fset.Position(pos), r)
				}
			}
		}
		for _, group := range f.Comments {
			text := strings.Join(strings.Fields(group.Text()), " ")
			check(group.Pos(), append(citedRows(text), citedAlone(text)...))
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				check(lit.Pos(), citedRows(lit.Value))
			}
			return true
		})
	}
	if len(cited) < 100 {
		t.Errorf("only %d rows are cited: are citations still found?", len(cited))
	}
}

func TestCitedRows(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"once a minute (contracts B7.5).":      {"B7.5"},
		"contracts B1.4, B2.3, B6 and C5.4":    {"B1.4", "B2.3", "B6", "C5.4"},
		"(contracts F1-F3, C5.4)":              {"F1", "F2", "F3", "C5.4"},
		"contracts F16-F18":                    {"F16", "F17", "F18"},
		"contracts D1.1-D1.3 say":              {"D1.1", "D1.2", "D1.3"},
		"Contracts B3 steps 2 to 4. A chunk":   {"B3", "B3 step 2", "B3 step 3", "B3 step 4"},
		"contracts B3 step 3, B10.13":          {"B3", "B3 step 3", "B10.13"},
		"(contracts G): every kind":            {"G"},
		"contracts B1.4a":                      {"B1.4a"},
		"the service contracts Anna; contract": nil,
		"contracts Z1":                         nil,
	} {
		if got := citedRows(text); !slices.Equal(got, want) {
			t.Errorf("%q cites %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string][]string{
		"is observed (B7.2, F30).":      {"B7.2", "F30"},
		"counts (A6; the pairing":       {"A6"},
		"(A) and (RFC 5321), (B7.5 and": nil,
	} {
		if got := citedAlone(text); !slices.Equal(got, want) {
			t.Errorf("%q cites %q, want %q", text, got, want)
		}
	}
}

// A row that is none, and one that has gone, are seen.
func TestKnownRows(t *testing.T) {
	t.Parallel()
	known := knownRows(read(t, "docs/providers.md"))
	for _, r := range []string{"A", "A1.5", "A4", "B1.4a", "B3 step 3", "B7.5", "C5.4", "D2.4", "F1", "F32", "H1", "J1.12", "K6", "L", "L17"} {
		if !known[r] {
			t.Errorf("row %s is not known", r)
		}
	}
	for _, r := range []string{"A9", "B7.99", "F33", "B3 step 9", "M1"} {
		if known[r] {
			t.Errorf("row %s is known", r)
		}
	}
}

// knownRows are the ids of rows, sections and steps of docs/providers.md.
func knownRows(page string) map[string]bool {
	known := map[string]bool{}
	for _, m := range rowOfTable.FindAllStringSubmatch(page, -1) {
		known[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`\*\*(H[0-9]+)\*\*`).FindAllStringSubmatch(page, -1) {
		known[m[1]] = true
	}
	titles := sectionTitle.FindAllStringSubmatchIndex(page, -1)
	for i, at := range titles {
		section, end := page[at[2]:at[3]], len(page)
		if i+1 < len(titles) {
			end = titles[i+1][0]
		}
		known[section] = true
		for _, m := range stepOfTable.FindAllStringSubmatch(page[at[1]:end], -1) {
			known[section+" step "+m[1]] = true
		}
	}
	return known
}

// citedRows are the rows that a text names after the word "contracts".
func citedRows(text string) (rows []string) {
	for _, found := range citation.FindAllString(text, -1) {
		for _, ref := range regexp.MustCompile(`, | and |; `).Split(found[len("contracts "):], -1) {
			rows = append(rows, expand(ref)...)
		}
	}
	return rows
}

func citedAlone(text string) (rows []string) {
	for _, m := range alone.FindAllStringSubmatch(text, -1) {
		rows = append(rows, oneRow.FindAllString(m[1], -1)...)
	}
	return rows
}

// expand resolves one reference: a range to its rows, steps to the section and its steps.
func expand(ref string) (rows []string) {
	word := wordOfRow.FindString(ref)
	if m := rangeRow.FindStringSubmatch(word); m != nil {
		for n, last := number(m[2]), number(m[3]); n <= last; n++ {
			rows = append(rows, m[1]+strconv.Itoa(n))
		}
		return rows
	}
	rows = append(rows, word)
	if m := stepOf.FindStringSubmatch(ref); m != nil {
		first := number(m[1])
		for n := first; n <= max(first, number(m[2])); n++ {
			rows = append(rows, word+" step "+strconv.Itoa(n))
		}
	}
	return rows
}

func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil { // no digits: the part is absent
		return 0
	}
	return n
}
