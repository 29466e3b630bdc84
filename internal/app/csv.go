package app

import (
	"encoding/csv"
	"errors"
	"io"
)

// A tableRow is an entry as a row of a table (internal/view).
type tableRow interface {
	Row() ([]string, error)
}

// writeCSV writes RFC 4180: the columns, and the entries that each hands over.
func writeCSV(out io.Writer, columns []string, each func(add func(tableRow) error) error) error {
	w := csv.NewWriter(out)
	if err := w.Write(columns); err != nil {
		return err
	}
	err := each(func(e tableRow) error {
		row, err := e.Row()
		if err != nil {
			return err
		}
		return w.Write(row)
	})
	w.Flush()
	return errors.Join(err, w.Error())
}
