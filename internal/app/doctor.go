package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// DoctorOptions say which installation `postino doctor` looks at; what is given
// here overrules file and environment.
type DoctorOptions struct {
	ConfigFile string
	Data       string
	Database   string
	CAFile     string
	JSON       bool
	Language   string
	Getenv     func(string) string
	Stdout     io.Writer
}

// Doctor looks at the installation and prints each finding as it is made. The
// error has the exit code 1 where something failed.
func Doctor(ctx context.Context, o DoctorOptions) error {
	so := ServeOptions{ConfigFile: o.ConfigFile, Data: o.Data, Database: o.Database, Getenv: o.Getenv}
	conf, err := so.load()
	if err != nil {
		return exit(ExitConfig, err)
	}
	roots, err := loadRoots(o.CAFile)
	if err != nil {
		return exit(ExitConfig, err)
	}
	networks, err := conf.Connections.Prefixes()
	if err != nil {
		return exit(ExitConfig, err)
	}
	own := newOwnListeners(conf.SMTP)
	in := newInstallation(&conf, newDoctor(roots, networks, own))
	in.Roots = roots
	askRunning(ctx, in, own, conf.HTTP.SocketPath(conf.Data), o.ConfigFile != "")
	err = withStore(ctx, Storage{Data: conf.Data, Database: conf.Database}, func(st store.Store) error {
		lookInto(in, st)
		return o.print(ctx, in)
	})
	if in.Records == nil { // the store did not open: the rest can be looked at
		in.StoreErr = err
		return o.print(ctx, in)
	}
	return err
}

// print looks at the installation and prints what is found.
func (o *DoctorOptions) print(ctx context.Context, in *doctor.Installation) error {
	var printed error // the reader is gone: the checks go on, and the exit code counts
	found := in.Check(ctx, func(f doctor.Finding) {
		if !o.JSON && printed == nil {
			_, printed = io.WriteString(o.Stdout, findingText(f, o.Language))
		}
	})
	if o.JSON {
		printed = writeJSON(o.Stdout, view.OfCheckup(found, o.Language))
	} else if printed == nil {
		_, printed = fmt.Fprintln(o.Stdout, checkupText(found).In(o.Language))
	}
	switch {
	case printed != nil:
		return exit(ExitSoftware, printed)
	case !found.OK:
		return exit(ExitFailure, errReported)
	}
	return nil
}

// findingText is one finding as people read it.
func findingText(f doctor.Finding, lang string) string {
	message := terminal.Line(f.Message.In(lang))
	if code := cmp.Or(f.ProviderCode, f.Code); code != "" {
		message += " (" + terminal.Line(code) + ")"
	}
	line := fmt.Sprintf("%s %s %s\n", padded(doctor.FindingLabel(f.Status).In(lang), 12),
		padded(doctor.CheckLabel(f.Check).In(lang), 14), message)
	if hint := f.Hint.In(lang); hint != "" {
		line += "             -> " + terminal.Line(hint) + "\n"
	}
	return line
}

func checkupText(c doctor.Checkup) mime.Text {
	failed, warned := 0, 0
	for _, f := range c.Findings {
		switch f.Status {
		case doctor.Bad:
			failed++
		case doctor.Warning:
			warned++
		}
	}
	return text("cli.doctor_result", "{failed} failed, {warned} with a warning, {all} findings in all", "failed", failed, "warned", warned,
		"all", len(c.Findings))
}

// newInstallation is what a configuration says of an installation; lookInto adds its store.
func newInstallation(c *config.Config, d *doctor.Doctor) *doctor.Installation {
	in := &doctor.Installation{Doctor: d, Folder: c.Data, Where: c.Data, Hostname: c.Hostname, Free: spool.FreeSpace,
		Reserve: int64(c.Limits.SpoolReserve)}
	if in.Reserve == 0 {
		in.Reserve = spool.DefaultReserve
	}
	if c.Database != "" {
		in.Where = "PostgreSQL"
		if u, err := url.Parse(c.Database); err == nil {
			in.Where = "PostgreSQL " + u.Host + u.Path
		}
	}
	in.Listeners = configured(c)
	for _, l := range c.SMTP {
		if l.Legacy() {
			in.Warnings = append(in.Warnings, text("doctor.legacy", "the listener {address} makes an allowance for old programs",
				"address", l.Address))
		}
	}
	for _, w := range c.Warnings {
		in.Warnings = append(in.Warnings, text("doctor.warning", "{warning}", "warning", w))
	}
	if c.HTTP.Keyless == config.KeylessSend {
		in.Warnings = append(in.Warnings, text("doctor.keyless",
			"every program of this machine may send by HTTP without a key (keyless = \"send\"): put no reverse proxy in front"))
	}
	return in
}

// lookInto has an installation look into its store.
func lookInto(in *doctor.Installation, st store.Store) {
	in.Records = st
	if s, ok := st.(interface {
		ClockSkew(context.Context) (time.Duration, error)
	}); ok {
		in.Skew = s.ClockSkew
	}
}
