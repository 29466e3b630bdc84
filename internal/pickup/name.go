package pickup

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// A claimed file is named ID-ORIGINAL in work/. The id is the key under which
// its message is stored, so that a repeat is known as one, whatever other files
// are called. Once it was decided on, an ending tells so, should it have to stay.
const (
	idLength      = 32
	endingTaken   = ".taken"
	endingRefused = ".refused"
)

// maxName is the longest part of a name that is kept, in octets: what is added
// to it must fit in 255, which is what file systems allow.
const maxName = 180

// claimedName makes a name that no other file has.
func claimedName(original string) (string, error) {
	var id [idLength / 2]byte
	ms := uint64(time.Now().UnixMilli()) // first, so that they are worked on in the order they came
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	if _, err := rand.Read(id[6:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(id[:]) + "-" + shorten(original, maxName), nil
}

// splitName reads a name in work/; no id when the file was not
// claimed by this package.
func splitName(name string) (id, original, ending string) {
	if len(name) <= idLength || name[idLength] != '-' {
		return "", name, ""
	}
	if _, err := hex.DecodeString(name[:idLength]); err != nil {
		return "", name, ""
	}
	id, original = name[:idLength], name[idLength+1:]
	for _, e := range []string{endingTaken, endingRefused} {
		if rest, ok := strings.CutSuffix(original, e); ok {
			return id, rest, e
		}
	}
	return id, original, ""
}

// shorten cuts a file name to limit octets, between characters, and keeps its extension.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	stem := name[:limit-len(ext)]
	for len(stem) > 0 && !utf8.RuneStart(name[len(stem)]) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}

var errUnsupported = errors.New("this file system has no rename that never replaces a file")

// moveInto moves a file into a folder under its own name, or one beside it:
// nothing that is there is replaced. A folder that is missing is made.
func moveInto(file, dir, name string) (string, error) {
	made, tries := false, 0
	for {
		target := filepath.Join(dir, name)
		err := renameNew(file, target)
		if errors.Is(err, errUnsupported) { // then a name that no one else has
			if name, err = uniqueName(name); err != nil {
				return "", err
			}
			target = filepath.Join(dir, name)
			err = os.Rename(file, target)
		}
		switch {
		case err == nil:
			return target, nil
		case gone(file):
			return "", fmt.Errorf("the file has gone: %w", os.ErrNotExist)
		case errors.Is(err, os.ErrNotExist) && !made:
			made = true
			if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
				return "", err
			}
		case errors.Is(err, os.ErrExist) && tries < 5:
			tries++
			if name, err = uniqueName(name); err != nil {
				return "", err
			}
		case tooLong(err) && len(name) > 60: // some file systems allow 143 octets
			name = shorten(name, 60)
		default:
			return "", err
		}
	}
}

// uniqueName puts the time and chance before the extension.
func uniqueName(name string) (string, error) {
	var r [4]byte
	if _, err := rand.Read(r[:]); err != nil {
		return "", err
	}
	name = shorten(name, maxName)
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + "." + time.Now().UTC().Format("20060102T150405") + "-" + hex.EncodeToString(r[:]) + ext, nil
}
