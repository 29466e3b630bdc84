package repotest

import (
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const maxSentence = 250 // characters of the sentence that says what a package is for

// Every package says in one sentence what it is for, in one file.
func TestPackagesSayTheirPurpose(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	comments := map[string][]string{} // by folder
	for _, file := range goFiles(t) {
		dir := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f := parse(t, fset, file)
		if f.Doc == nil {
			comments[dir] = append(comments[dir], "")
			continue
		}
		comment := strings.Join(strings.Fields(strings.SplitN(f.Doc.Text(), "\n\n", 2)[0]), " ")
		comments[dir] = append(comments[dir], comment)
		begin := "Package " + f.Name.Name + " "
		if f.Name.Name == "main" {
			begin = "Command " + path.Base(dir) + " "
		}
		sentence, _, ended := strings.Cut(comment+" ", ". ")
		switch n := utf8.RuneCountInString(sentence); {
		case !strings.HasPrefix(comment, begin):
			t.Errorf("%s: the comment does not begin with %q", file, begin)
		case !ended:
			t.Errorf("%s: the comment of the package has no sentence that ends: %s", file, comment)
		case n > maxSentence:
			t.Errorf("%s: the first sentence has %d characters, at most %d: %s", file, n, maxSentence, sentence)
		case n < len(begin)+15:
			t.Errorf("%s: the first sentence says too little: %s", file, sentence)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		written := slices.DeleteFunc(comments[dir], func(c string) bool { return c == "" })
		if len(written) != 1 {
			t.Errorf("%s: %d files have a comment of the package, want one", dir, len(written))
		}
	}
}
