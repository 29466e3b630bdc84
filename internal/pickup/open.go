package pickup

import (
	"context"
	"io"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/mime"
)

// openRegular opens a claimed file without following links and without waiting,
// and makes sure that it is what it seems: a plain file under one name. listed
// is how it stood in work/; whoever changed it since is caught by that.
func openRegular(name string, listed fs.FileInfo) (*os.File, fs.FileInfo, error) {
	if !listed.Mode().IsRegular() {
		return nil, nil, notRegular(listed.Mode())
	}
	file, err := openFile(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = same(info, listed)
	}
	if err != nil {
		_ = file.Close() // nothing was read
		return nil, nil, err
	}
	return file, info, nil
}

func same(info, listed fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return notRegular(info.Mode())
	case owner(info) != owner(listed):
		return refusal("not_a_plain_file", mime.NewText("pickup.owner_changed", "the file changed its owner while it was taken: it was not read"))
	case !os.SameFile(info, listed):
		return refusal("not_a_plain_file", mime.NewText("pickup.exchanged", "the file was exchanged while it was taken: it was not read"))
	case links(info) > 1:
		return refusal("not_a_plain_file", mime.NewText("pickup.hard_link",
			"the file has a second name (a hard link): it was not read, because what it shows may belong to someone else"))
	}
	return nil
}

func notRegular(mode fs.FileMode) error {
	return refusal("not_a_plain_file", mime.NewText("pickup.not_plain",
		"this is no plain file ({kind}) and was not read: write the message into a file", "kind", mode.Type()))
}

// untilStop ends reading when the server stops.
type untilStop struct {
	ctx context.Context
	r   io.Reader
}

func (u untilStop) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}
