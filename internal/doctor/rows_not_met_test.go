package doctor_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rowsNotMet are the codes of docs/providers.md that no test of a connection can
// meet, with the reason.
func rowsNotMet() map[string]string {
	const (
		requestIsOurs = "postino makes the token request, and it is complete"
		small         = "of large messages with a draft: the test's message is small"
		ours          = "of the form in which postino hands over a message"
		library       = "of a client library, not of the service"
		duringSending = "a list of more than 100 recipients; a test has one"
		sent          = "what is sent"
	)
	return map[string]string{
		"900144": requestIsOurs, "50126": "passwords of people are never sent to Entra",
		"ErrorMimeContentInvalidBase64String":               "the answer that the test asks for on purpose",
		"ErrorAttachmentSizeShouldNotBeLessThanMinimumSize": small,
		"ErrorItemNotFound":                                 small,
		"InvalidInternetMessageHeader":                      ours,
		"InvalidInternetMessageHeaderCollection":            ours,
		"UnknownError":                                      "another name of GatewayTimeout",
		"SERVICE_DISABLED":                                  "another name of accessNotConfigured",
		"ACCESS_TOKEN_SCOPE_INSUFFICIENT":                   "another name of insufficientPermissions",
		"452 4.5.3":                                         duringSending,
		"C6.1":                                              sent,
		"C6.2":                                              sent,
		"C6.3":                                              sent,
		"C6.4":                                              library,
		"C6.5":                                              library,
		"C6.6":                                              library,
		"C6.7":                                              "asked of Google's own host before any sandbox: tokens has the test",
		"C6.8":                                              library,
		"C6.9":                                              "the good answer",
		"C6.13":                                             sent,
		"C6.14":                                             sent,
	}
}

// A mention is a refusal that a row of docs/providers.md names: its code, and words
// that tell it from others with the same code.
type mention struct{ code, words string }

// in says whether a table has it.
func (m mention) in(rows []row) bool {
	return slices.ContainsFunc(rows, func(r row) bool {
		codes := append(strings.Fields(r.ref), r.code, strings.TrimPrefix(r.code, "AADSTS"), strings.Fields(r.code)[0])
		return slices.Contains(codes, m.code) && strings.Contains(strings.ToLower(r.ref), strings.ToLower(m.words))
	})
}

// TestRowsComplete: each row of the sections in docs/providers.md, and of its additions,
// names a refusal, and each of these stands in the table or among those that cannot be met.
func TestRowsComplete(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	have, notMet := tables(), rowsNotMet()
	have["C6"] = append(have["C6"], metadataRows()...)
	used := map[string]bool{}
	check := func(section, line string, found []mention) {
		if len(found) == 0 {
			t.Errorf("%s: no refusal is found in: %s", section, line)
		}
		for _, m := range found {
			met := m.in(have[section])
			if used[m.code] = true; !met && notMet[m.code] == "" {
				t.Errorf("%s: %q is neither in the table nor among those that cannot be met", section, m)
			} else if met && notMet[m.code] != "" {
				t.Errorf("%s is in the table and among those that cannot be met", m.code)
			}
		}
	}
	for section, atLeast := range map[string]int{"A5": 32, "B9": 26, "C4": 16, "C6": 20, "D5": 23} {
		lines := sectionRows(t, string(raw), section)
		if len(lines) < atLeast {
			t.Errorf("%s: only %d rows were found", section, len(lines))
		}
		for _, line := range lines {
			check(section, line, mentions(section, strings.Split(line, "|")[1:]))
		}
	}
	added := regexp.MustCompile(`(?m)^\| L\d+ \| (A5|B9|C4|C6|D5) new \|(.*)$`).FindAllStringSubmatch(string(raw), -1)
	if len(added) < 3 {
		t.Errorf("only %d additions were found", len(added))
	}
	for _, m := range added {
		if cell, _, _ := strings.Cut(m[2], "|"); m[1] == "D5" {
			check(m[1], m[0], replies(cell, false))
		} else {
			check(m[1], m[0], named(cell))
		}
	}
	for c := range notMet {
		if !used[c] {
			t.Errorf("%s is in no row of docs/providers.md", c)
		}
	}
}

// sectionRows returns the lines of a section's tables without their heads.
func sectionRows(t *testing.T, doc, section string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "\n## "+section+".")
	if !ok {
		t.Fatalf("docs/providers.md has no section %s", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	rest, _, _ = strings.Cut(rest, "\n# ")
	var out []string
	for line := range strings.SplitSeq(rest, "\n") {
		switch {
		case strings.HasPrefix(line, "|---"):
			out = out[:len(out)-1] // the head
		case strings.HasPrefix(line, "|"):
			out = append(out, line)
		}
	}
	return out
}

// mentions returns what the cells of a row name.
func mentions(section string, cells []string) []mention {
	switch section {
	case "A5":
		return coded(cells[0], `\d{5,7}`)
	case "D5":
		return replies(cells[0], true)
	case "C6":
		if m := coded(cells[0], `C6\.\d+`); len(m) > 0 {
			return m
		}
		return append(named(cells[1]), quoted(cells[2], named(cells[1]))...)
	}
	if found := named(cells[1]); len(found) > 0 {
		return found
	}
	return coded(cells[0], `\d{3}`) // the status alone
}

func coded(cell, pattern string) (out []mention) {
	for _, c := range regexp.MustCompile(pattern).FindAllString(cell, -1) {
		out = append(out, mention{code: c})
	}
	return out
}

// named are codes between backticks; the last one has the words that follow in quotes.
func named(cell string) (out []mention) {
	for _, m := range regexp.MustCompile("`([A-Za-z_0-9]*[A-Za-z_]{4,}[A-Za-z_0-9]*)`").FindAllStringSubmatch(cell, -1) {
		out = append(out, mention{code: m[1]})
	}
	return append(out, quoted(cell, out)...)
}

// quoted are further words with the last code: `"Daily limit ..."`.
func quoted(cell string, of []mention) (out []mention) {
	for _, m := range regexp.MustCompile(`"([^".]{8,})[^"]*"`).FindAllStringSubmatch(cell, -1) {
		if len(of) > 0 && !strings.Contains(m[1], "User-rate limit") { // the sandbox's mailSendingLimit writes it
			out = append(out, mention{of[len(of)-1].code, strings.TrimSpace(m[1])})
		}
	}
	return out
}

// replies are those of an SMTP server between backticks: a code, or several with the
// first one's number, and words. Without a number they have the code before them.
func replies(cell string, bare bool) (out []mention) {
	number, code := "", ""
	status := regexp.MustCompile(`^\d{3}\b`)
	enhanced := regexp.MustCompile(`\d\.\d{1,3}\.\d+`)
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		text := m[1]
		if list := regexp.MustCompile(`^\d{3}(, \d{3})+$`); list.MatchString(text) {
			out = append(out, coded(text, `\d{3}`)...)
			continue
		}
		codes := enhanced.FindAllString(text, -1)
		if s := status.FindString(text); s != "" {
			number, code = s, s
		} else if !bare && len(codes) == 0 {
			continue
		}
		words := strings.Trim(enhanced.ReplaceAllString(status.ReplaceAllString(text, ""), ""), " ,.")
		if last, isRange := strings.CutPrefix(words, "... ."); isRange || regexp.MustCompile(`^\d{3}$`).MatchString(words) {
			for n := codes[0]; ; n = next(n) {
				out = append(out, mention{code: number + " " + n})
				if strings.HasSuffix(n, "."+strings.TrimPrefix(last, ".")) {
					break
				}
			}
			continue
		}
		if strings.Contains(words, "<") || strings.Trim(words, ", ") == "" {
			words = ""
		}
		for _, c := range codes {
			code = number + " " + c
			out = append(out, mention{code, words})
		}
		if len(codes) == 0 {
			out = append(out, mention{code, words})
		}
	}
	return out
}

// next is the code after 5.2.251.
func next(code string) string {
	b := []byte(code)
	for i := len(b) - 1; ; i-- {
		if b[i]++; b[i] <= '9' {
			return string(b)
		}
		b[i] = '0'
	}
}
