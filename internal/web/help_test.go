package web

import (
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/help").to("/login?next=%2Fhelp")
	w.signIn(w.operator)
	a := w.get("/help").want(200, "Guides", "People and the audit trail", "openapi.json")
	if n := strings.Count(a.body, `href="/help/`); n < len(guides) {
		t.Errorf("%d guides of %d", n, len(guides))
	}
	w.get("/help/people").want(200, "Roles", "An administrator gives a connection")
	for _, path := range []string{"/help/nope", "/help/..%2fgo", "/help/docs.go", "/help/%2e%2e"} {
		if a := w.get(path); a.status == 200 {
			t.Errorf("%s is shown", path)
		}
	}
}
