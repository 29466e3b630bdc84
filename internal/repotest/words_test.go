package repotest

import (
	"go/scanner"
	"go/token"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// retired are words that once had a meaning of their own here, and what is written
// in their place: an engineer who runs another mail server must understand each word
// at first sight.
var retired = map[string]string{
	"anew": "again", "crowd": "connLimiter", "damaged": "corrupt", "door": "listener or entry point", "doors": "listeners or entry points",
	"farewell": "closeReply", "fruitless": "idleCommands", "gate": "notBefore", "gated": "held back",
	"gates": "notBefore", "leavings": "orphaned files", "nobody": "no one", "parked": "waiting", "regate": "recompute", "remedy": "hint",
	"ruling": "decision", "testify": "recordLateOutcome", "untold": "notifyFailed", "whose": "with, of, their",
}

// allowedWords are places where a retired word stays, with the reason: the folder or the
// file, and the word.
var allowedWords = []struct{ path, word, reason string }{
	{"CHANGELOG.md", "damaged", "an entry names what it renamed"},
	{"CHANGELOG.md", "door", "an entry names what it renamed"},
	{"CHANGELOG.md", "remedy", "an entry names what it renamed"},
	{"adapters/error_json.go", "remedy", "the JSON of records from before 1.0"},
	{"internal/store/keptnames.go", "remedy", "the JSON of records from before 1.0"},
	{"internal/store/columns_test.go", "remedy", "the JSON of records from before 1.0"},
}

// Words that went do not come back: in identifiers, comments, the strings of the
// program and the documents. Strings of tests are data.
func TestRetiredWords(t *testing.T) {
	t.Parallel()
	used := make([]bool, len(allowedWords))
	find := func(file string, line int, words []string) {
	next:
		for _, w := range words {
			w = strings.ToLower(w)
			instead, bad := retired[w]
			if !bad {
				continue
			}
			for i, a := range allowedWords {
				if a.word == w && (a.path == file || strings.HasPrefix(file, a.path+"/")) {
					used[i] = true
					continue next
				}
			}
			t.Errorf("%s:%d: %q is a word that went: write %s", file, line, w, instead)
		}
	}
	for _, file := range goFiles(t) {
		goWords(t, file, find)
	}
	for _, file := range documents(t) {
		for i, line := range strings.Split(read(t, file), "\n") {
			find(file, i+1, proseWord.FindAllString(line, -1))
		}
	}
	for i, a := range allowedWords {
		if !used[i] {
			t.Errorf("%s no longer has the word %q (%s): take it off the list", a.path, a.word, a.reason)
		}
	}
}

// proseWord is a word of a text. Names with an underscore are one: the store's columns
// and stored JSON keep their names.
var proseWord = regexp.MustCompile(`[A-Za-z_]+`)

// goWords finds the words of a Go file: those that identifiers are made of, and those
// of comments and strings.
func goWords(t *testing.T, file string, find func(file string, line int, words []string)) {
	t.Helper()
	src := []byte(read(t, file))
	fset := token.NewFileSet()
	f := fset.AddFile(file, -1, len(src))
	var s scanner.Scanner
	s.Init(f, src, nil, scanner.ScanComments)
	for {
		pos, tok, lit := s.Scan()
		line := f.Line(pos)
		switch {
		case tok == token.EOF:
			return
		case tok == token.IDENT:
			find(file, line, humps(lit))
		case tok == token.COMMENT, tok == token.STRING && !strings.HasSuffix(file, "_test.go"):
			for i, l := range strings.Split(lit, "\n") {
				find(file, line+i, proseWord.FindAllString(l, -1))
			}
		}
	}
}

// humps are the words of an identifier: loadHTMLPage is load, HTML, Page.
func humps(name string) (words []string) {
	r := []rune(name)
	begin := 0
	for i := 1; i < len(r); i++ {
		if unicode.IsUpper(r[i]) && (unicode.IsLower(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) || r[i] == '_' {
			words = append(words, strings.Trim(string(r[begin:i]), "_"))
			begin = i
		}
	}
	return append(words, strings.Trim(string(r[begin:]), "_"))
}

// documents are what people read beside the code: documents and pages. The texts of
// the catalogue stand in Go files and pages.
func documents(t *testing.T) (files []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--", "*.md", "*.html")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skip("no git: ", err)
	}
	for file := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if !strings.Contains(path.Dir(file), "testdata") {
			files = append(files, file)
		}
	}
	return files
}
