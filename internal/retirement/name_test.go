package retirement

import "testing"

// A name that is pasted into a command has no quote in it.
func TestClientName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Gestionale dell'ufficio": "gestionale-dell-ufficio", "$(x)": "x", "'": "program-7"} {
		if got := clientName(&Settings{Name: name, Line: 7}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
