package winservice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// fake is a service manager; its service goes on by one state with each look at it.
type fake struct {
	state State
	next  []State
	calls []string
	spec  Spec
	err   error // of every call but State
}

func (f *fake) call(name string, next ...State) error {
	f.calls = append(f.calls, name)
	f.next = next
	return f.err
}
func (f *fake) Install(s Spec) error { f.spec, f.state = s, Stopped; return f.call("install") }
func (f *fake) Start() error         { return f.call("start", Starting, Starting, Running) }
func (f *fake) Stop() error {
	if f.state != Running { // what Windows answers then
		return errors.New("the service cannot accept control messages at this time")
	}
	return f.call("stop", Stopping, Stopped)
}
func (f *fake) Remove() error { f.state = NotInstalled; return f.call("remove") }
func (f *fake) State() (State, error) {
	if len(f.next) > 0 {
		f.state, f.next = f.next[0], f.next[1:]
	}
	return f.state, nil
}

func TestControl(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	start := func(c Control) error { return c.Start(t.Context()) }
	stop := func(c Control) error { return c.Stop(t.Context()) }
	remove := func(c Control) error { return c.Remove(t.Context()) }
	install := func(c Control) error { return c.Install(Spec{Program: `C:\postino.exe`}) }
	for _, c := range []struct {
		name  string
		f     fake
		do    func(Control) error
		calls string
		state State
		err   error
	}{
		{"install", fake{}, install, "install", Stopped, nil},
		{"install twice", fake{state: Stopped}, install, "", Stopped, ErrInstalled},
		{"install is denied", fake{err: ErrDenied}, install, "install", Stopped, ErrDenied},
		{"start", fake{state: Stopped}, start, "start", Running, nil},
		{"start again", fake{state: Running}, start, "", Running, nil},
		{"start while it starts", fake{state: Starting, next: []State{Starting, Running}}, start, "", Running, nil},
		{"start while it stops", fake{state: Stopping, next: []State{Stopping, Stopped}}, start, "start", Running, nil},
		{"start of none", fake{}, start, "", NotInstalled, ErrNotInstalled},
		{"start fails", fake{state: Stopped, err: broken}, start, "start", Stopped, broken},
		{"it ends while it starts", fake{state: Starting, next: []State{Starting, Stopped}}, start, "", Stopped, ErrEnded},
		{"it starts for ever", fake{state: Starting}, start, "", Starting, ErrSlow},
		{"stop", fake{state: Running}, stop, "stop", Stopped, nil},
		{"stop while it starts", fake{state: Starting, next: []State{Starting, Starting, Running}}, stop, "stop", Stopped, nil},
		{"it ends while it is to be stopped", fake{state: Starting, next: []State{Starting, Stopped}}, stop, "", Stopped, nil},
		{"stop while it starts for ever", fake{state: Starting}, stop, "", Starting, ErrSlow},
		{"remove while it starts", fake{state: Starting, next: []State{Running}}, remove, "stop remove", NotInstalled, nil},
		{"stop again", fake{state: Stopped}, stop, "", Stopped, nil},
		{"stop of none", fake{}, stop, "", NotInstalled, ErrNotInstalled},
		{"it does not stop", fake{state: Stopping}, stop, "", Stopping, ErrSlow},
		{"remove", fake{state: Running}, remove, "stop remove", NotInstalled, nil},
		{"remove what is stopped", fake{state: Stopped}, remove, "remove", NotInstalled, nil},
		{"remove what does not stop", fake{state: Running, err: broken}, remove, "stop", Running, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := c.f
			err := c.do(Control{Manager: &f, Pause: func(context.Context) error { return nil }})
			if errors.Is(c.err, broken) {
				f.next = nil
			}
			if !errors.Is(err, c.err) || strings.Join(f.calls, " ") != c.calls || f.state != c.state {
				t.Errorf("%v after %v, state %q", err, f.calls, f.state)
			}
		})
	}
	Ready(t.Context()) // no service: nothing happens
	f := &fake{state: Starting}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Control{Manager: f}).Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
}

// reports is what a service said of itself.
type reports chan State

func (r reports) Report(s State) { r <- s }

func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		serve func(ctx context.Context) int
		stop  State // at which it is told to stop; empty: never
		want  []State
		code  int
	}{
		{"stopped", func(ctx context.Context) int { Ready(ctx); Ready(ctx); <-ctx.Done(); return 0 }, Running,
			[]State{Starting, Running, Stopping}, 0},
		{"stopped while it starts", func(ctx context.Context) int { <-ctx.Done(); return 75 }, Starting,
			[]State{Starting, Stopping}, 75},
		{"ends by itself", func(context.Context) int { return 78 }, "", []State{Starting}, 78},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said, stop, ended := make(reports), make(chan struct{}), make(chan int, 1)
			go func() {
				ended <- run(t.Context(), stop, said, io.Discard, func(ctx context.Context, _ io.Writer) int { return c.serve(ctx) })
			}()
			var got []State
			for {
				select {
				case s := <-said:
					if got = append(got, s); s == c.stop {
						close(stop)
					}
					continue
				case code := <-ended:
					if code != c.code || !slices.Equal(got, c.want) {
						t.Errorf("%v, exit %d", got, code)
					}
				}
				break
			}
		})
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := eventWriter{func(s importance, text string) error {
		_, err := fmt.Fprintf(&out, "%d %s\n", s, text)
		return err
	}}
	for _, line := range []string{
		"time=2026-11-30T16:00:00Z level=INFO msg=\"postino serves level=ERROR\"\n",
		"time=2026-11-30T16:00:00Z level=WARN msg=slow\n",
		`{"time":"2026-11-30T16:00:00Z","level":"ERROR","msg":"down"}` + "\n",
		`{"time":"2026-11-30T16:00:00Z","level":"DEBUG","msg":"x"}` + "\n",
		"postino: the configuration is wrong\x00\n", "\n",
		strings.Repeat("è", maxEvent),
	} {
		if n, err := io.WriteString(w, line); err != nil || n != len(line) {
			t.Errorf("%q: %d, %v", line, n, err)
		}
	}
	want := "1 time=2026-11-30T16:00:00Z level=WARN msg=slow\n2 {\"time\":\"2026-11-30T16:00:00Z\",\"level\":\"ERROR\",\"msg\":\"down\"}\n" +
		"2 postino: the configuration is wrong\n2 " + strings.Repeat("è", maxEvent/2) + "\n"
	if out.String() != want {
		t.Errorf("%.300s", out.String())
	}
}
