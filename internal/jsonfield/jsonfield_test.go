package jsonfield

import (
	"strings"
	"testing"
)

func TestTwice(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`{"a":1,"b":2}`:                               "",
		`{"a":1,"a":2}`:                               "a",
		`{"from":1,"FROM":2}`:                         "FROM",
		`{"a":"a","b":"b","c":["a","a"]}`:             "",
		`{"a":{"x":1},"b":{"x":1}}`:                   "",
		`{"a":{"x":1,"y":[{"z":1,"Z":2}]}}`:           "a.y.Z",
		`[{"a":1},{"a":1}]`:                           "",
		`[{"a":1},{"b":{"c":[],"c":{}}}]`:             "b.c",
		`{"smtp":{"host":"x"},"\u0053mtp":{}}`:        "Smtp",
		`{"a":{},"b":[],"a":null}`:                    "a",
		`{"k":1,"` + "\u212a" + `":2}`:                "\u212a",
		`{"a":1,"a"`:                                  "a", // the reader says that it is cut short
		`{"a":1,"b":`:                                 "",
		``:                                            "",
		`"a"`:                                         "",
		`{"a":1} {"b":1,"b":1}`:                       "",
		strings.Repeat("[", 11000):                    "",
		`{"password":"x","port":25,"password":"y"}`:   "password",
		`{"a":{"b":{"c":1},"d":{"c":1}},"e":{"c":1}}`: "",
	} {
		name, above, twice := Twice([]byte(doc))
		if got := strings.Join(append(above, name), "."); got != want || twice != (want != "") {
			t.Errorf("%.60s: %q, %v", doc, got, twice)
		}
	}
}
