// Package maildrop is the folder in which `postino sendmail` leaves messages
// while the server is down: one file a message, its envelope in the first line.
package maildrop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Suffix of a file that is complete.
const Suffix = ".msg"

// Bounds of the first line: its bytes, and the recipients that are built of it.
const (
	maxEnvelope   = 4 << 20
	maxRecipients = 100_000
)

// Write leaves a message in dir, synced with its folder before it returns. A
// reader never sees half a file.
func Write(dir string, env mime.Envelope, message mime.Source) (err error) {
	line, err := json.Marshal(env)
	if err != nil {
		return err
	}
	// Made here it would be a folder that no server looks into.
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return texterr.New(mime.NewText("maildrop.no_folder", "the message cannot be left in {folder}, which does not exist: start the server "+
			"once, name the folder in POSTINO_MAILDROP, or make one for all users with install -d -m 1733 -o postino /var/spool/postino", "folder",
			dir))
	}
	name := filepath.Join(dir, uuid.NewString())
	f, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return texterr.Wrap(mime.NewText("maildrop.not_left", "the message cannot be left in {folder}", "folder", dir), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name+".tmp"))
		}
	}()
	if err = readable(f, dir); err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err == nil {
		_, err = io.Copy(f, mime.NewReader(message))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return texterr.Wrap(mime.NewText("maildrop.not_left", "the message cannot be left in {folder}", "folder", dir), err)
	}
	if err := os.Rename(name+".tmp", name+Suffix); err != nil {
		return texterr.Wrap(mime.NewText("maildrop.not_left", "the message cannot be left in {folder}", "folder", dir), err)
	}
	return syncDir(dir)
}

// readable lets the server, which runs as the folder's owner, read a file that
// another user leaves. That is safe where only the owner can list the folder:
// no one else learns the name.
func readable(f *os.File, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	const shared = fs.ModeSticky | 0o002
	if info.Mode()&shared != shared || info.Mode()&0o044 != 0 {
		return nil
	}
	return f.Chmod(0o644) // whatever the umask says
}

// syncDir makes a rename durable. A folder that may be written but not read
// (mode 1733, shared by all users of the machine) cannot be opened for it; the
// file itself is synced.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// ErrEnvelope says that a file does not begin with an envelope as Write makes it.
var ErrEnvelope = texterr.New(mime.NewText("maildrop.no_envelope", "the file does not begin with an envelope"))

// Read splits a file into envelope and message. What whoever may write into the
// folder put there is foreign: an envelope with more in it than Write puts there
// wraps ErrEnvelope, and a *mime.Error where it is an address that is none.
func Read(r io.Reader) (mime.Envelope, io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	var env mime.Envelope
	line, err := readLine(b)
	if err != nil {
		return env, nil, err
	}
	fields := struct {
		*mime.Envelope
		Recipients recipients
	}{Envelope: &env}
	if err := json.Unmarshal(line, &fields); err != nil {
		return env, nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	env.Recipients = fields.Recipients
	if what := unfit(&env); what != "" {
		return env, nil, unlike(mime.NewText("maildrop.field", "its {field} is not as sendmail writes it", "field", what))
	}
	return env, b, nil
}

// unlike is ErrEnvelope with the reason.
func unlike(reason mime.Text) error { return fmt.Errorf("%w: %w", ErrEnvelope, texterr.New(reason)) }

// recipients are read one by one, so that their number is bounded before they
// are built: three bytes on disk would be fifty in memory.
type recipients []mime.Recipient

// UnmarshalJSON reads a list.
func (r *recipients) UnmarshalJSON(doc []byte) error {
	*r = nil
	d := json.NewDecoder(bytes.NewReader(doc))
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return err // null, or no list: then there are none
	}
	for d.More() {
		if len(*r) == maxRecipients {
			return texterr.New(mime.NewText("maildrop.recipients", "it has more than {most} recipients", "most", maxRecipients))
		}
		var x mime.Recipient
		if err := d.Decode(&x); err != nil {
			return err
		}
		*r = append(*r, x)
	}
	return nil
}

// unfit names what of the DSN wishes is no value of RFC 3461.
func unfit(env *mime.Envelope) string {
	switch {
	case !env.Ret.Valid():
		return "Ret"
	case len(env.EnvID) > 100 || hasControl(env.EnvID): // section 4.4
		return "EnvID"
	case len(env.Recipients) == 0: // the header must not decide
		return "Recipients"
	}
	for _, r := range env.Recipients {
		if !mime.ValidNotify(r.Notify) {
			return "Notify"
		}
		if len(r.ORcpt) > 500 || hasControl(r.ORcpt) {
			return "ORcpt"
		}
	}
	return ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 127 || r == utf8.RuneError })
}

func readLine(b *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxEnvelope:
			return nil, unlike(mime.NewText("maildrop.line_long", "its first line is too long"))
		case err == nil:
			return line, nil
		case errors.Is(err, io.EOF):
			return nil, unlike(mime.NewText("maildrop.one_line", "it has one line"))
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
