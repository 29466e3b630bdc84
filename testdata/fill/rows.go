//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// printRows writes what fillSQLite would insert, for testdata/fill/sqlite.py: a line for
// each message, its columns with tabs between them.
func printRows(o *options) (err error) {
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer func() { err = errors.Join(err, out.Flush()) }()
	return letters(o, func(l *letter) error {
		doc, err := l.m.EncodeDoc()
		if err != nil {
			return err
		}
		recipients, err := store.EncodeRecipients(l.d.Recipients)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%x\t%s\t%d\t%s\t%s\t%s\t%x\t%d\t%d\t%s\t%s\n", l.m.ID[:], l.m.Client, l.received, l.m.MessageID,
			l.m.From, doc, l.d.ID[:], l.flow+1, l.state, recipients, strings.Join(engine.TermsOf(&l.m, &l.d), " "))
		return err
	})
}
