package smtp

import (
	"strings"
	"testing"
)

func TestFolded(t *testing.T) {
	t.Parallel()
	words := strings.TrimSpace(strings.Repeat("mailbox full ", 100))
	for _, c := range []struct{ text, codes string }{
		{"250 2.1.5 Ok", "250 2.1.5 "},
		{"550 5.1.1 " + words, "550 5.1.1 "},
		{"550 " + words, "550 "},
		{"550 5.1.1 " + strings.Repeat("x", 2000), "550 5.1.1 "},
		{"550 5.1.1 " + strings.Repeat("è", 2000), "550 5.1.1 "},
		{"550 5.7.509 " + strings.Repeat("x", 498), "550 5.7.509 "}, // one line to the octet
		{"", ""},
		{strings.Repeat("x", 600), "xxxx"},
	} {
		lines := folded([]string{c.text})
		whole := ""
		for i, l := range lines {
			rest, ok := strings.CutPrefix(l, c.codes)
			if !ok || len(l) > 510 || !strings.HasPrefix(c.text, l) && i == 0 || strings.ContainsRune(l, '\uFFFD') {
				t.Errorf("%.40s: line %d is %q", c.text, i, l)
			}
			if whole != "" && strings.Contains(c.text, " f") {
				whole += " "
			}
			whole += rest
		}
		if want := strings.TrimPrefix(c.text, c.codes); whole != want || len(lines) != 1 && len(c.text) <= 510 {
			t.Errorf("%.40s: %d lines, %q", c.text, len(lines), whole)
		}
	}
}
