package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/winservice"
)

// oneService is a service manager that does at once what it is told.
type oneService struct {
	state winservice.State
	spec  winservice.Spec
}

func (o *oneService) set(s winservice.State) error { o.state = s; return nil }

func (o *oneService) Install(s winservice.Spec) error {
	o.spec = s
	return o.set(winservice.Stopped)
}
func (o *oneService) Start() error                     { return o.set(winservice.Running) }
func (o *oneService) Stop() error                      { return o.set(winservice.Stopped) }
func (o *oneService) Remove() error                    { return o.set(winservice.NotInstalled) }
func (o *oneService) State() (winservice.State, error) { return o.state, nil }

func TestServiceCommands(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := new(oneService)
	k := ServiceCommands{Manager: o, Language: "it", Stdout: &out}
	if err := k.Status(); ExitCode(err) != ExitUnavailable {
		t.Errorf("status of none: %v", err)
	}
	data := t.TempDir()
	for _, err := range []error{k.Install(ServiceSpec{Data: data, Account: `NT SERVICE\postino`}), k.Start(t.Context()), k.Status(),
		k.Stop(t.Context()), k.Remove(t.Context())} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := out.String(); strings.Count(got, "\n") != 5 || !strings.Contains(got, "postino: in funzione\n") ||
		!strings.HasSuffix(got, "postino: non installato\n") {
		t.Errorf("%s", got)
	}
	if o.spec.Account != `NT SERVICE\postino` || !filepath.IsAbs(o.spec.Program) || strings.Join(o.spec.Args, " ") != "serve --data "+data {
		t.Errorf("%+v", o.spec)
	}
}

func TestServiceArgs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	absolute := file("absolute.toml", "data = '"+dir+"'\n")
	for _, c := range []struct {
		spec        ServiceSpec
		programData string
		want        string
		code        int
	}{
		{ServiceSpec{}, dir, "serve --data " + filepath.Join(dir, "postino", "data"), 0},
		{ServiceSpec{}, "", "", ExitUsage},
		{ServiceSpec{Data: dir}, "", "serve --data " + dir, 0},
		{ServiceSpec{Config: absolute, CAFile: absolute}, "", "serve --data " + dir + " --config " + absolute + " --ca-file " + absolute, 0},
		{ServiceSpec{Config: file("none.toml", "")}, dir, "serve --data " + filepath.Join(dir, "postino", "data") + " --config " +
			filepath.Join(dir, "none.toml"), 0},
		{ServiceSpec{Config: file("relative.toml", "data = 'mail'\n")}, dir, "", ExitConfig},
		{ServiceSpec{Config: file("wrong.toml", "dat = 'mail'\n")}, dir, "", ExitConfig},
	} {
		args, _, err := c.spec.args(c.programData)
		if strings.Join(args, " ") != c.want || ExitCode(err) != c.code {
			t.Errorf("%+v: %v, %v", c.spec, args, err)
		}
	}
}
