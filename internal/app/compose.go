package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ComposeOptions are the flags of `postino send` that make a message.
type ComposeOptions struct {
	From, Subject, Text, HTML string
	TextFile, HTMLFile        string // "-" reads standard input
	To, Cc, Bcc, ReplyTo      []string
	Attach                    []string // files
	Inline                    []string // files, or CID=FILE
	Headers                   []string // "Name: value"
	ListUnsubscribe           []string
}

func (c *ComposeOptions) draft(stdin io.Reader) (*mime.Draft, error) {
	d := &mime.Draft{Subject: c.Subject, Text: c.Text, HTML: c.HTML, ListUnsubscribe: c.ListUnsubscribe}
	if c.From == "" {
		return nil, exit(ExitUsage, texterr.New(mime.NewText("cli.from_missing", "give --from, or a whole message with --eml")))
	}
	from, err := parseAddresses("--from", []string{c.From})
	if err != nil {
		return nil, err
	}
	if len(from) != 1 {
		return nil, exit(ExitUsage, texterr.New(mime.NewText("cli.from_one", "--from takes one address")))
	}
	d.From = from[0]
	for _, l := range []struct {
		flag string
		in   []string
		out  *[]mime.Address
	}{{"--to", c.To, &d.To}, {"--cc", c.Cc, &d.Cc}, {"--bcc", c.Bcc, &d.Bcc}, {"--reply-to", c.ReplyTo, &d.ReplyTo}} {
		if *l.out, err = parseAddresses(l.flag, l.in); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		name string
		out  *string
	}{{c.TextFile, &d.Text}, {c.HTMLFile, &d.HTML}} {
		if f.name == "" {
			continue
		}
		var b strings.Builder
		if err := readEML(&b, f.name, stdin); err != nil {
			return nil, exit(ExitNoInput, err)
		}
		*f.out = b.String()
	}
	for _, h := range c.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, exit(ExitUsage, texterr.New(mime.NewText("cli.header_form", "--header {value}: write it as 'Name: value'", "value",
				strconv.Quote(h))))
		}
		d.Headers = append(d.Headers, mime.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	for _, f := range c.Attach {
		if err := attach(d, f, "", false); err != nil {
			return nil, err
		}
	}
	for _, f := range c.Inline {
		cid, file, ok := strings.Cut(f, "=")
		if !ok { // the HTML refers to it by its name
			cid, file = "", f
		}
		if err := attach(d, file, cid, true); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func attach(d *mime.Draft, file, cid string, inline bool) error {
	st, err := os.Stat(file)
	if err == nil && !st.Mode().IsRegular() {
		err = texterr.New(mime.NewText("cli.not_regular", "not a regular file"))
	}
	if err != nil {
		return exit(ExitNoInput, texterr.Wrap(mime.NewText("cli.attachment_unreadable", "the attachment {file} cannot be read", "file", file),
			err))
	}
	d.Attachments = append(d.Attachments, mime.Attachment{Filename: filepath.Base(file), ContentID: cid, Inline: inline,
		Open: func() (io.ReadCloser, error) { return os.Open(file) }})
	return nil
}

func parseAddresses(flag string, in []string) ([]mime.Address, error) {
	var out []mime.Address
	for _, s := range in {
		list, err := mime.ParseAddressList(s)
		if err != nil {
			return nil, exit(ExitUsage, fmt.Errorf("%s: %w", flag, err))
		}
		out = append(out, list...)
	}
	return out, nil
}
