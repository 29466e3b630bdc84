package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Answers keeps what was answered in a file that its owner alone reads, so that a
// dialogue that was broken off goes on where it was. Secrets are never among
// them. The zero value keeps them in memory alone. Not for concurrent use.
type Answers struct {
	file string
	doc  answersFile
}

// An Answer is one of them.
type Answer struct {
	Key   string `json:"key"`
	Label string `json:"label,omitempty"` // the question, in the language in which it was asked
	Value string `json:"value"`
	Shown string `json:"shown,omitempty"` // the value as a person reads it; empty: as it stands
}

type answersFile struct {
	Version int               `json:"version"`
	Saved   time.Time         `json:"saved"`
	Purpose string            `json:"purpose,omitempty"`
	Answers []Answer          `json:"answers"`
	Former  map[string]string `json:"former,omitempty"`
}

const answersVersion = 1

// maxAnswers bounds the file of the answers, in bytes.
const maxAnswers = 1 << 20

// OpenAnswers reads the answers of a file; one that is missing, or was written for
// another purpose, has none. Where the file cannot be read or understood the
// answers are empty beside the error, and the next Put replaces it.
func OpenAnswers(file, purpose string) (*Answers, error) {
	a := &Answers{file: file, doc: answersFile{Purpose: purpose}}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	st, err := f.Stat()
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxAnswers) {
		err = fmt.Errorf("%s is no file of answers", file)
	}
	var doc answersFile
	if err == nil {
		err = json.NewDecoder(f).Decode(&doc)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return a, err
	}
	if doc.Version == answersVersion && doc.Purpose == purpose {
		a.doc = doc
	}
	return a, nil
}

// Kept are the answers so far, in the order of their questions.
func (a *Answers) Kept() []Answer { return slices.Clone(a.doc.Answers) }

// Saved is when the last of them was kept.
func (a *Answers) Saved() time.Time { return a.doc.Saved }

// Get is a kept answer. A nil Answers has none.
func (a *Answers) Get(key string) (string, bool) {
	if a == nil {
		return "", false
	}
	i := slices.IndexFunc(a.doc.Answers, func(x Answer) bool { return x.Key == key })
	if i < 0 {
		return "", false
	}
	return a.doc.Answers[i].Value, true
}

// Former is the answer that Withdraw took back; empty: none.
func (a *Answers) Former(key string) string {
	if a == nil {
		return ""
	}
	return a.doc.Former[key]
}

// Put keeps an answer, in place of one of the same key, and is durable when it
// returns. A nil Answers keeps nothing.
func (a *Answers) Put(x Answer) error {
	if a == nil {
		return nil
	}
	if i := slices.IndexFunc(a.doc.Answers, func(y Answer) bool { return x.Key == y.Key }); i >= 0 {
		a.doc.Answers[i] = x
	} else {
		a.doc.Answers = append(a.doc.Answers, x)
	}
	return a.write()
}

// Withdraw takes answers back: they are asked again, with what was answered as the
// proposal.
func (a *Answers) Withdraw(keys ...string) error {
	if a.doc.Former == nil {
		a.doc.Former = map[string]string{}
	}
	a.doc.Answers = slices.DeleteFunc(a.doc.Answers, func(x Answer) bool {
		if !slices.Contains(keys, x.Key) {
			return false
		}
		a.doc.Former[x.Key] = x.Value
		return true
	})
	return a.write()
}

// Forget drops all answers and their file.
func (a *Answers) Forget() error {
	a.doc = answersFile{Purpose: a.doc.Purpose}
	if a.file == "" {
		return nil
	}
	err := os.Remove(a.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// write puts all answers in place of the file, whole or not at all.
func (a *Answers) write() (err error) {
	a.doc.Version, a.doc.Saved = answersVersion, time.Now().Truncate(time.Second)
	if a.file == "" {
		return nil
	}
	content, err := json.MarshalIndent(a.doc, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(a.file), ".answers-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), a.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
