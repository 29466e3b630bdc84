package prompt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "answers.json")
	open := func(purpose string) *Answers {
		t.Helper()
		a, err := OpenAnswers(file, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open("x")
	for _, x := range []Answer{{Key: "from", Value: "a@example.com"}, {Key: "host", Value: "mx"}, {Key: "host", Value: "mx2"}} {
		if err := a.Put(x); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if v, ok := open("y").Get("host"); ok {
		t.Errorf("of another purpose: %q", v)
	}
	a = open("x")
	if v, _ := a.Get("host"); v != "mx2" || len(a.Kept()) != 2 || a.Saved().IsZero() {
		t.Errorf("%q of %v", v, a.Kept())
	}
	if err := a.Withdraw("host"); err != nil {
		t.Fatal(err)
	}
	a = open("x")
	if _, ok := a.Get("host"); ok || a.Former("host") != "mx2" || !slices.Equal(a.Kept(), []Answer{{Key: "from", Value: "a@example.com"}}) {
		t.Errorf("withdrawn: %v", a.Kept())
	}
	if err := a.Forget(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 0 || len(a.Kept()) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := a.Forget(); err != nil {
		t.Errorf("twice: %v", err)
	}
	for _, content := range []string{"{", `{"version": 1, "answers": 3}`, strings.Repeat(" ", maxAnswers+1), ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := OpenAnswers(file, "x")
		if err == nil || len(a.Kept()) != 0 {
			t.Errorf("%.20q: %v, %v", content, err, a.Kept())
		}
		if err := a.Put(Answer{Key: "from", Value: "b"}); err != nil {
			t.Errorf("%.20q: %v", content, err)
		}
	}
	none, zero := (*Answers)(nil), new(Answers)
	if err := none.Put(Answer{Key: "k", Value: "v"}); err != nil || none.Former("k") != "" {
		t.Error(err)
	}
	if err := zero.Put(Answer{Key: "k", Value: "v"}); err != nil {
		t.Error(err)
	}
	if v, ok := zero.Get("k"); !ok || v != "v" || zero.Forget() != nil {
		t.Errorf("in memory: %q", v)
	}
}
