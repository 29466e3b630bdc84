package app

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/postino-mail/postino/internal/private"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
)

// packagedData is the folder of the service that packages install.
const packagedData = "/var/lib/postino"

// openAnswers finds the file of the answers. Where there can be none, setup says
// so and goes on: it cannot be resumed then.
func (s *setup) openAnswers() (err error) {
	s.answers = new(prompt.Answers)
	file := s.Answers
	if file == "" {
		if file, err = stateFile("setup.json", os.Getenv); err != nil {
			return s.say(text("setup.not_kept", "The answers cannot be kept for the case of an interruption: {reason}", "reason",
				texterr.Reason{Err: err}))
		}
	}
	opened, err := prompt.OpenAnswers(file, s.purpose())
	s.answers, s.durable = opened, true
	if err != nil {
		err = s.say(text("setup.answers_unreadable", "The answers of an earlier run in {file} cannot be read: setup begins again.", "file", file))
	}
	if s.Again && err == nil {
		err = s.answers.Forget()
	}
	return err
}

// purpose tells a setup of one store from that of another, without the password
// that the address of a database may have.
func (s *setup) purpose() string {
	switch {
	case s.Storage.Database == "" && !s.DataGiven:
		return "setup"
	case s.Storage.Database == "":
		return "setup " + s.Storage.Data
	}
	u, err := url.Parse(s.Storage.Database)
	if err != nil {
		return "setup database"
	}
	return "setup " + u.Host + u.Path
}

// stateFile is a file in the folder that a user's programs keep their state in
// (XDG Base Directory Specification). The folder is made. The home of the user id
// counts, not $HOME alone: runuser and su leave that as it was.
func stateFile(name string, getenv func(string) string) (string, error) {
	var folders []string
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		folders = append(folders, dir)
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		if dir, err := os.UserConfigDir(); err == nil {
			folders = append(folders, dir)
		}
	} else if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		folders = append(folders, filepath.Join(u.HomeDir, ".local", "state"))
	}
	failed := errors.New("this user has no home folder")
	for _, dir := range folders {
		dir = filepath.Join(dir, "postino")
		if failed = writable(dir); failed == nil {
			return filepath.Join(dir, name), nil
		}
	}
	return "", failed
}

// writable makes a folder and tries whether files can be made there.
func writable(dir string) error {
	if err := private.MkdirAll(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// resume shows the answers that were kept and asks whether to go on with them.
func (s *setup) resume(ctx context.Context) error {
	kept := s.answers.Kept()
	if len(kept) == 0 {
		return nil
	}
	if lang, ok := s.answers.Get(askLanguage); ok && s.AskLang {
		s.lang = lang
	}
	said := text("setup.resumed", "A setup was interrupted at {time}. So far:", "time", terminal.Time(s.answers.Saved()))
	if err := s.say(said); err != nil {
		return err
	}
	t := terminal.NewTable(s.Stdout)
	for _, a := range kept {
		switch {
		case a.Key == setSaved:
			t.Row("  " + a.Label)
		case a.Shown != "":
			t.Row("  "+a.Label, a.Shown)
		default:
			t.Row("  "+a.Label, a.Value)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	const goOn, again = "continue", "again"
	choice, err := s.p.Choose(ctx, text("setup.ask_resume", "Continue").In(s.lang), "1, 2",
		prompt.Option{Value: goOn, Text: text("setup.resume", "with these answers; secrets are asked for again").In(s.lang)},
		prompt.Option{Value: again, Text: text("setup.begin_again", "from the beginning").In(s.lang)})
	if err != nil || choice == goOn {
		return err
	}
	return s.answers.Forget()
}

// proposedData is the folder of the package, where its user runs setup and names
// none; else that of the command line.
func (s *setup) proposedData() string {
	if s.DataGiven || (Storage{Data: s.Storage.Data}).exists() {
		return s.Storage.Data
	}
	if _, err := os.Stat(packagedData); err == nil {
		return packagedData
	}
	return s.Storage.Data
}

// mayMakeStore refuses a new store of root in the folder of another user: their
// server could not open it.
func (s *setup) mayMakeStore() error {
	st, err := os.Stat(s.Storage.Data)
	if err != nil || s.Storage.exists() {
		return nil //nolint:nilerr // it is made later, and says what is wrong with it then
	}
	uid, known := ownerOf(st)
	if !known || uid == os.Geteuid() || os.Geteuid() != 0 {
		return nil
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if err := s.answers.Withdraw(askData); err != nil {
		return err
	}
	return wrong(ExitUsage, text("setup.folder_of_another", "the folder {folder} belongs to {user}: a server of that user could not open a "+
		"store of root there: run 'runuser -u {user} -- postino setup'", "folder", s.Storage.Data, "user", name))
}
