//go:build linux

package prompt

import (
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// A typist answers as soon as the question is there, as who pastes does.
type typist struct {
	terminal *os.File // the end that the person sits at
	answer   string
	echoed   bool // the terminal would have shown it
}

func (o *typist) Write(b []byte) (int, error) {
	if strings.HasSuffix(string(b), ": ") {
		t, err := unix.IoctlGetTermios(int(o.terminal.Fd()), unix.TCGETS)
		if err != nil {
			return 0, err
		}
		o.echoed = t.Lflag&unix.ECHO != 0
		if _, err := o.terminal.WriteString(o.answer); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// A secret that is pasted the moment it is asked for is not shown, and what follows it answers the
// next question.
func TestSecretIsNotEchoed(t *testing.T) {
	t.Parallel()
	person, program, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal: ", err)
	}
	t.Cleanup(func() { _, _ = person.Close(), program.Close() })
	out := &typist{terminal: person, answer: "s3cret\rnext\r"}
	p, err := New(program, out)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := p.Secret(t.Context(), "Secret")
	if err != nil || secret != "s3cret" || out.echoed {
		t.Errorf("%q %v, echoed: %v", secret, err, out.echoed)
	}
	out.answer = ""
	if line, err := p.Line(t.Context(), "Line", ""); err != nil || line != "next" || !out.echoed {
		t.Errorf("%q %v, echoed: %v", line, err, out.echoed)
	}
}
