package app

import (
	"reflect"

	"github.com/postino-mail/postino/internal/config"
)

// reload reads log level and certificates again. What cannot change while
// running is left as it is, and the log names it.
func (s *server) reload(o ServeOptions, entries []entryPoint) {
	s.notifySystemd("RELOADING=1")
	defer s.notifySystemd("READY=1")
	conf, err := o.load()
	if err == nil {
		err = setLevel(s.level, conf.Log.Level)
	}
	if err != nil {
		s.log.Error("nothing was read again: the configuration is wrong", "err", err)
		return
	}
	kept := false
	for _, d := range entries {
		if r, ok := d.(interface{ Reload() error }); ok {
			if err := r.Reload(); err != nil {
				s.log.Error("a listener keeps its old certificate", "err", err)
				kept = true
			}
		}
	}
	s.conns.Invalidate()
	if kept {
		s.log.Info("the log level was read again")
	} else {
		s.log.Info("log level and certificates were read again")
	}
	conf.Log.Level = s.conf.Log.Level // that one is in force
	if names := changed(s.conf, conf); len(names) > 0 {
		s.log.Warn("settings were changed that need a restart", "settings", names)
	}
}

// changed names the settings in which two configurations differ, as the file
// does. The values stay out of the log: a database's address has a password.
func changed(a, b config.Config) []string {
	return differing("", reflect.ValueOf(a), reflect.ValueOf(b))
}

func differing(prefix string, a, b reflect.Value) (names []string) {
	for i := range a.NumField() {
		name := a.Type().Field(i).Tag.Get("toml")
		if name == "-" { // no setting, but made from some
			continue
		}
		name = prefix + name
		switch x, y := a.Field(i), b.Field(i); {
		case x.Kind() == reflect.Struct:
			names = append(names, differing(name+".", x, y)...)
		case !reflect.DeepEqual(x.Interface(), y.Interface()):
			names = append(names, name)
		}
	}
	return names
}
