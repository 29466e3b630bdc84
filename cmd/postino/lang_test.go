package main

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/app"
)

// --lang counts over the environment, before the command and behind it.
func TestLangOverEnvironment(t *testing.T) {
	t.Setenv("POSTINO_LANG", "en")
	for _, args := range []string{"--lang it", "--lang=it"} {
		for _, line := range []string{args + " connection list --data /none", "connection list --data /none " + args} {
			_, _, errs := command(t, "", strings.Fields(line)...)
			if !strings.Contains(errs, "non c'è un archivio") {
				t.Errorf("postino %s: %s", line, errs)
			}
		}
	}
	code, _, errs := command(t, "", "connection", "list", "--data", "/none")
	if code != app.ExitNoInput && !strings.Contains(errs, "no store") {
		t.Errorf("%d %s", code, errs)
	}
}
