package transfer

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ReadPath reads a file, or the files .json, .toml and .csv of a folder and those
// below it. A file of another kind is an error: with a misspelt name its connection
// would be taken for one that is to be removed. Hidden files, and notes (.md), are
// skipped.
func (o Options) ReadPath(path, format string) ([]connections.Document, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return o.readFile(path, format)
	}
	var all []connections.Document
	files := 0
	err = filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != path && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case entry.IsDir() || strings.EqualFold(filepath.Ext(name), ".md"):
			return nil
		}
		if formatOfName(name) == Auto {
			return texterr.New(mime.NewText("transfer.unknown_file", "{file} is neither .json, .toml nor .csv: take it out of the folder", "file",
				strconv.Quote(name)))
		}
		files++
		docs, err := o.readFile(name, Auto)
		if err != nil {
			return texterr.Wrap(mime.NewText("transfer.of_file", "{file}", "file", name), err)
		}
		for _, doc := range docs {
			doc.Source = filepath.Base(name) + doc.Source
			all = append(all, doc)
		}
		return nil
	})
	if err == nil && files == 0 {
		err = texterr.New(mime.NewText("transfer.empty_folder", "the folder {folder} has no file of connections (.json, .toml, .csv)", "folder",
			strconv.Quote(path)))
	}
	return all, err
}

func (o Options) readFile(name, format string) (docs []connections.Document, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if format == Auto {
		format = formatOfName(name)
	}
	return o.Read(io.Reader(f), format)
}

// formatOfName is the format by the end of a name.
func formatOfName(name string) string {
	switch ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), ".")); ext {
	case JSON, TOML, CSV:
		return ext
	}
	return Auto
}
