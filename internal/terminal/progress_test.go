//go:build linux

package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

type said string

func (s said) In(lang string) string { return lang + " " + string(s) }

// The line comes after its time, is cut to the terminal, and is gone before anything else is
// written there and at the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("there is no pseudo-terminal: %v", err)
	}
	defer master.Close()
	if err := pty.Setsize(slave, &pty.Winsize{Cols: 20, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	out := NewWriter(slave)
	p := NewProgress("en", NewWriter(slave), out)
	ctx := WithProgress(t.Context(), p)
	Show(ctx, said("quick")) // over before its time
	p.Clear()
	p.after = 0
	drawn := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.shown > 0
	}
	Show(ctx, said("a text that is longer\x1b[2J"))
	for end := time.Now().Add(10 * time.Second); !drawn() && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
	if _, err := out.Write([]byte("result\n")); err != nil {
		t.Fatal(err)
	}
	p.Clear()
	if err := slave.Close(); err != nil {
		t.Fatal(err)
	}
	shown, _ := io.ReadAll(master) // ends with an error where the other side is gone
	if want := "\ren a text that is …\r" + strings.Repeat(" ", 19) + "\rresult\r\n"; string(shown) != want {
		t.Errorf("%q, want %q", shown, want)
	}
}

// Where there is no terminal there is no line.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := NewWriter(&out)
	p := NewProgress("en", w)
	ctx := WithProgress(t.Context(), p)
	Show(ctx, said("x"))
	Show(t.Context(), said("x"))
	p.Clear()
	if p != nil || out.Len() > 0 {
		t.Errorf("%v %q", p, out.String())
	}
}
