package commandline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

type grammar struct {
	Lang string `help:"Language." placeholder:"LANG"`
	Send struct {
		File string `help:"A file." short:"f" placeholder:"FILE"`
		JSON bool   `help:"As JSON." name:"json"`
	} `cmd:"" help:"Send."`
	Route struct {
		Mode   string `help:"A mode." enum:"a,ab,b" default:"a"`
		Secret string `help:"Not shown." hidden:""`
		Show   struct {
			Class string `arg:"" enum:"bulk,any" help:"Class."`
			Input string `arg:"" optional:"" type:"existingfile" help:"Input."`
		} `cmd:"" help:"Show a route."`
		Gone struct{} `cmd:"" hidden:"" help:"Hidden."`
	} `cmd:"" help:"Routes."`
}

func model(t *testing.T) *kong.Node {
	t.Helper()
	p, err := kong.New(new(grammar), kong.Name("postino"))
	if err != nil {
		t.Fatal(err)
	}
	return p.Model.Node
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"":                        "[route send]",
		"s":                       "[send]",
		"x":                       "[]",
		"-":                       "[--help --lang]",
		"--lang ":                 "[]",
		"--lang it s":             "[send]",
		"send --":                 "[--file --help --json --lang]",
		"send --file ":            "[] files",
		"send -f ":                "[] files",
		"send --json ":            "[]",
		"send --file=":            "[] files",
		"send --file = x":         "[] files", // as bash has it
		"send -- ":                "[] files",
		"route ":                  "[show]",
		"route --mode ":           "[a ab b]",
		"route --mode a":          "[a ab]",
		"route --mode=a":          "[--mode=a --mode=ab]",
		"route --mode = a":        "[--mode=a --mode=ab]",
		"route --s":               "[]",
		"route show ":             "[any bulk]",
		"route show b":            "[bulk]",
		"route show bulk ":        "[] files",
		"route show --mode b b":   "[bulk]",
		"route show bulk x y z  ": "[] files",
	} {
		found, files := Complete(model(t), strings.Split(words, " "))
		var names []string
		for _, c := range found {
			names = append(names, c.Word)
		}
		got := fmt.Sprint(names)
		if files {
			got += " files"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", words, got, want)
		}
	}
}

// What stands in a help text is no request and no escape of roff.
func TestManualQuotes(t *testing.T) {
	t.Parallel()
	if got, want := roff(".so /etc/passwd\n'x\\n-1"), "\\&.so /etc/passwd\n\\(aqx\\en\\-1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	page := Manual(model(t), "it", "v1")
	for _, want := range []string{".TH POSTINO 1", ".SH SINTASSI", ".SS postino route show", ".TP\n.B \\-f, \\-\\-file=FILE\nA file."} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
	if strings.Contains(page, "Hidden.") || strings.Contains(page, "Not shown.") {
		t.Error("what is hidden stands in the manual")
	}
}
