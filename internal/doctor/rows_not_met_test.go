package doctor_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rowsNotMet are the rows of docs/providers.md that no test of a connection can
// meet, with the reason.
func rowsNotMet() map[string]string {
	const (
		requestIsOurs = "postino makes the token request, and it is complete"
		small         = "of large messages with a draft: the test's message is small"
		ours          = "of the form in which postino hands over a message"
		library       = "of a client library, not of the service"
		duringSending = "a list of more than 100 recipients; a test has one"
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
		"C6.1":                                              "what is sent",
		"C6.2":                                              "what is sent",
		"C6.3":                                              "what is sent",
		"C6.4":                                              library,
		"C6.5":                                              library,
		"C6.6":                                              library,
		"C6.7":                                              "asked of Google's own host before any sandbox: tokens has the test",
		"C6.8":                                              library,
		"C6.9":                                              "the good answer",
	}
}

// TestRowsComplete: every code of the sections in docs/providers.md stands in the
// table, or among those that cannot be met.
func TestRowsComplete(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, rows := range [][]row{entraRows(), graphRows(), gmailRows(), googleRows(), smtpRows()} {
		for _, r := range rows {
			have = append(have, strings.TrimPrefix(r.code, "AADSTS"), strings.Fields(r.ref)[0], r.ref)
		}
	}
	notMet := rowsNotMet()
	code := regexp.MustCompile("`([A-Za-z_]{4,})`")
	number := regexp.MustCompile(`\d{5,7}`)
	reply := regexp.MustCompile(`[45]\d\d \d\.\d+\.\d+`)
	for _, s := range []struct {
		title  string
		column int
		codes  func(cell string) []string
	}{
		{"## A5", 1, func(c string) []string { return number.FindAllString(c, -1) }},
		{"## B9", 2, func(c string) (out []string) {
			for _, m := range code.FindAllStringSubmatch(c, -1) {
				out = append(out, m[1])
			}
			return out
		}},
		{"## C4", 2, func(c string) (out []string) {
			for _, m := range code.FindAllStringSubmatch(c, -1) {
				out = append(out, m[1])
			}
			return out
		}},
		{"## C6", 1, func(c string) []string { return regexp.MustCompile(`C6\.\d`).FindAllString(c, -1) }},
		{"## D5", 1, func(c string) []string { return reply.FindAllString(c, -1) }},
	} {
		_, rest, ok := strings.Cut(string(raw), "\n"+s.title)
		if !ok {
			t.Fatalf("docs/providers.md has no section %s", s.title)
		}
		section, _, _ := strings.Cut(rest, "\n## ")
		found := 0
		for line := range strings.SplitSeq(section, "\n") {
			cells := strings.Split(line, "|")
			if len(cells) <= s.column+1 || strings.Contains(line, "---") {
				continue
			}
			for _, c := range s.codes(cells[s.column]) {
				found++
				if !slices.Contains(have, c) && notMet[c] == "" {
					t.Errorf("%s: %s is neither in the table nor among those that cannot be met", s.title, c)
				}
			}
		}
		if found < 9 {
			t.Errorf("%s: only %d codes were found", s.title, found)
		}
	}
	for c := range notMet {
		if slices.Contains(have, c) {
			t.Errorf("%s is in the table and among those that cannot be met", c)
		}
	}
}
