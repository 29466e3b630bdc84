package vault

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Where a key is looked for, in this order; the first place that has one wins.
const (
	// Variable of the environment: the key set's JSON, or base64 of it.
	Variable = "POSTINO_KEY"
	// Credential is the name of the systemd credential (LoadCredential= or
	// LoadCredentialEncrypted=, systemd.exec(5)) with the key set's JSON.
	Credential = "postino-key"
	// FileName is the file in the data folder.
	FileName = "key.json"
)

const maxKeyFile = 1 << 20

// Open finds the key, or makes one at the first start: dir/key.json with mode
// 0600, on the disk before Open returns. Of several processes that start at
// once on an empty dir, all get the same key. getenv is os.Getenv outside tests.
func Open(dir string, getenv func(string) string) (*Vault, error) {
	v, err := Find(dir, getenv)
	if errors.Is(err, fs.ErrNotExist) {
		return Make(dir)
	}
	return v, err
}

// Find returns the key that is there, and makes none: fs.ErrNotExist.
func Find(dir string, getenv func(string) string) (*Vault, error) {
	if v := getenv(Variable); v != "" {
		return fromText([]byte(v), "the environment variable "+Variable)
	}
	if d := getenv("CREDENTIALS_DIRECTORY"); d != "" {
		b, err := readFile(filepath.Join(d, Credential))
		if err == nil {
			return fromText(b, "the systemd credential "+Credential)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, texterr.Wrap(mime.NewText("vault.credential_unreadable", "the systemd credential {credential} cannot be read", "credential",
				Credential), err)
		}
	}
	return fromFile(filepath.Join(dir, FileName))
}

// Make makes the key file in dir, or returns the one that another process has made
// in this moment.
func Make(dir string) (*Vault, error) {
	file := filepath.Join(dir, FileName)
	b, err := generate()
	if err != nil {
		return nil, err
	}
	if err := create(file, b); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, texterr.Wrap(mime.NewText("vault.key_not_made", "the key file cannot be made"), err)
	}
	return fromFile(file)
}

func fromFile(file string) (*Vault, error) {
	k, err := fileKeys(file)
	if err != nil {
		return nil, err
	}
	v := &Vault{origin: file, file: file}
	v.keys.Store(k)
	return v, nil
}

// fileKeys reads a key file. What it was is looked at first: a file that replaces
// it meanwhile is read again.
func fileKeys(file string) (*keys, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_unreadable", "the key file cannot be read"), err)
	}
	h, err := load(file)
	if err != nil {
		return nil, err
	}
	k, err := newKeys(h, file)
	if err == nil {
		k.from = info
	}
	return k, err
}

// Has reports whether there is a key, or what should be one, so that Open makes
// none.
func Has(dir string, getenv func(string) string) bool {
	if getenv(Variable) != "" {
		return true
	}
	files := []string{filepath.Join(dir, FileName)}
	if d := getenv("CREDENTIALS_DIRECTORY"); d != "" {
		files = append(files, filepath.Join(d, Credential))
	}
	for _, f := range files {
		if _, err := os.Stat(f); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

func fromText(b []byte, origin string) (*Vault, error) {
	b = bytes.TrimSpace(b)
	if !bytes.HasPrefix(b, []byte("{")) {
		raw, err := base64.StdEncoding.DecodeString(string(b))
		if err != nil {
			return nil, texterr.New(mime.NewText("vault.key_not_json",
				"what is in {origin} is neither JSON nor base64: put the content of {file} there", "origin", origin, "file", FileName))
		}
		b = raw
	}
	h, err := parse(b, origin)
	if err != nil {
		return nil, err
	}
	return newVault(h, origin)
}

// load reads the key file; fs.ErrNotExist when there is none.
func load(file string) (*keyset.Handle, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_unreadable", "the key file cannot be read"), err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, texterr.New(mime.NewText("vault.key_public",
			"the key file {file} can be read by others (mode {mode}): run chmod 600 on it, and if others had access, renew the secrets of the "+
				"connections where they were issued", "file", file, "mode", fmt.Sprintf("%#o", info.Mode().Perm())))
	}
	b, err := readFile(file)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("vault.key_unreadable", "the key file cannot be read"), err)
	}
	return parse(b, file)
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, texterr.New(mime.NewText("vault.not_a_key_file", "{file} is not a key file", "file", name))
	}
	return os.ReadFile(name)
}

// create makes the file with all of its content or not at all, and never over
// another one: fs.ErrExist.
func create(file string, content []byte) error {
	return place(file, content, func(temp string) error {
		err := os.Link(temp, file)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			// A file system without hard links. Another process in this same
			// instant is the one case that this leaves open.
			if _, serr := os.Stat(file); serr == nil {
				return fs.ErrExist
			}
			return os.Rename(temp, file)
		}
		return err
	})
}

func replace(file string, content []byte) error {
	before, err := os.Stat(file)
	if err != nil {
		return err
	}
	return place(file, content, func(temp string) error {
		if err := giveTo(temp, before); err != nil {
			return err
		}
		return os.Rename(temp, file)
	})
}

// place writes a synced temporary file beside file, has it put in place, and
// syncs the folder: a key that has sealed something must survive a power cut.
func place(file string, content []byte, put func(temp string) error) (err error) {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := put(f.Name()); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS writes names with its own journal
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
