package locale

import "testing"

func TestBracketed(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"yes":                               "⟦yes⟧",
		"{host} refused the connection":     "{host} ⟦refused the connection⟧",
		"{a}: {b}":                          "{a}: {b}",
		"use {a} or {b}.\n":                 "⟦use⟧ {a} ⟦or⟧ {b}.\n",
		"what is {not a placeholder} stays": "⟦what is {not a placeholder} stays⟧",
		"":                                  "",
	} {
		if got := bracketed(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPseudo(t *testing.T) {
	t.Parallel()
	if got, ok := Text(Match("pseudo"), "cli.yes", nil); !ok || got != "⟦yes⟧" {
		t.Errorf("%q %v", got, ok)
	}
	if got, ok := Text(Pseudo, "doctor.servers_left", []any{"count", 2}); !ok || got != "2 ⟦more servers were not asked⟧" {
		t.Errorf("%q %v", got, ok)
	}
	if got, ok := Text(Pseudo, "doctor.servers_left", []any{"count", 1}); !ok || got != "⟦one more server was not asked⟧" {
		t.Errorf("%q %v", got, ok)
	}
	if _, ok := Text(Pseudo, "none.such", nil); ok {
		t.Error("a text that does not exist")
	}
	for _, lang := range Languages() {
		if lang == Pseudo {
			t.Error("the language of the tests is among those of the product")
		}
	}
}

func TestOutside(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a ⟦b⟧ c ⟦d\ne⟧": "a   c   ", "x": "x "} {
		if got, err := Outside(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"a⟧", "⟦a", "⟦a⟦b⟧⟧"} {
		if got, err := Outside(in); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}
