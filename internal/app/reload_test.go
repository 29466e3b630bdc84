package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/registry"
)

// What SIGHUP changes, what needs a restart, and that no value is shown.
func TestReload(t *testing.T) {
	t.Parallel()
	const before = "database = 'postgres://postino:hunter1@db/postino'\n[log]\nlevel = 'info'\n[[smtp]]\naddress = '127.0.0.1:2525'\n"
	for _, c := range []struct {
		name, after string
		want        []string // in the log
		not         string
		level       slog.Level
	}{
		{name: "nothing", after: before, want: []string{"log level and certificates were read again"}, not: "restart"},
		{name: "log level", after: strings.Replace(before, "info", "debug", 1), want: []string{"were read again"}, not: "restart",
			level: slog.LevelDebug},
		{name: "others", after: strings.NewReplacer("hunter1", "hunter2", "2525", "2526").Replace(before) + "[outbox]\nretry_first = '5m'\n",
			want: []string{"were read again", "level=WARN", "need a restart", "[database smtp outbox.retry_first]"}},
		{name: "log format", after: strings.Replace(before, "level = 'info'", "level = 'info'\nformat = 'json'", 1),
			want: []string{"[log.format]"}},
		{name: "wrong", after: before + "workers = -1\n", want: []string{"level=ERROR", "the configuration is wrong"}, not: "were read again"},
		{name: "wrong level", after: strings.Replace(before, "info", "loud", 1), want: []string{"level=ERROR", "log.level"},
			not: "were read again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := ServeOptions{ConfigFile: filepath.Join(t.TempDir(), "postino.toml"), Getenv: func(string) string { return "" }}
			write := func(text string) {
				if err := os.WriteFile(o.ConfigFile, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(before)
			conf, err := o.load()
			if err != nil {
				t.Fatal(err)
			}
			log := &serverLog{fresh: make(chan struct{})}
			s := &server{conf: conf, level: new(slog.LevelVar), conns: registry.NewConnections(nil)}
			if s.log, err = newLogger(conf.Log, log, s.level); err != nil {
				t.Fatal(err)
			}
			write(c.after)
			s.reload(o, nil)
			got := log.String()
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in: %s", want, got)
				}
			}
			if c.not != "" && strings.Contains(got, c.not) || strings.Contains(got, "hunter") {
				t.Errorf("too much is said: %s", got)
			}
			if s.level.Level() != c.level {
				t.Errorf("the level is %v, want %v", s.level.Level(), c.level)
			}
		})
	}
}
