package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/commandline"
)

// TestHelpIsLocalised: every command, flag, argument and example has an Italian text.
func TestHelpIsLocalised(t *testing.T) {
	t.Parallel()
	model := func(lang string) *kong.Node {
		var cli commands
		p, err := kong.New(&cli, kong.Name("postino"))
		if err != nil {
			t.Fatal(err)
		}
		commandline.Localise(p.Model.Node, lang)
		return p.Model.Node
	}
	commandLine := 0
	var compare func(path string, en, it *kong.Node)
	compare = func(path string, en, it *kong.Node) {
		commandLine++
		check := func(what, en, it string) {
			if en != "" && en == it {
				t.Errorf("%s: %s is English in Italian: %q", path, what, en)
			}
		}
		check("help", en.Help, it.Help)
		check("examples", en.Detail, it.Detail)
		for i, f := range en.Flags {
			if f.Help == "" {
				t.Errorf("%s: --%s has no help", path, f.Name)
			}
			check("--"+f.Name, f.Help, it.Flags[i].Help)
		}
		for i, p := range en.Positional {
			if !strings.Contains(p.Help, "sendmail(1)") {
				check(p.Name, p.Help, it.Positional[i].Help)
			}
		}
		for i, c := range en.Children {
			compare(path+" "+c.Name, c, it.Children[i])
		}
	}
	compare("postino", model("en"), model("it_IT.UTF-8"))
	if commandLine < 30 {
		t.Errorf("%d commands", commandLine)
	}
}

// TestUsageIsLocalised: what the command line's parser says is known by its sentence.
func TestUsageIsLocalised(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"connction":                           `argomento inatteso connction, si intendeva "connection"?`,
		"connection lst":                      `argomento inatteso lst, si intendeva "list"`,
		"version abc":                         `argomento inatteso abc`,
		"connection route":                    `mancano le opzioni: --from`,
		"connection":                          `manca un comando, uno tra add, list`,
		"connection show":                     `mancano gli argomenti: <name>`,
		"connection list --jso":               `opzione sconosciuta --jso, si intendeva "--json"?`,
		"connection list --zzzzzzzzzz":        `opzione sconosciuta --zzzzzzzzzz`,
		"connection edit a --per-minute -3":   `--per-minute deve essere un numero; sotto zero si scrive --per-minute=-3`,
		"connection list --data":              `--data è senza valore`,
		"serve --smtp --http 127.0.0.1:0":     `--smtp è senza valore`,
		"queue list --limit=x":                `--limit deve essere un numero, non "x"`,
		"connection default Ufficio --mode=y": `--mode deve essere uno tra "no", "unrouted", "always", non "y"`,
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), append(strings.Fields(line), "--lang=it"), stdio{strings.NewReader(""), &out, &errs})
		if said := errs.String(); !strings.HasPrefix(said, "postino: "+want) || code != app.ExitUsage ||
			!strings.Contains(said, "vedi 'postino --help'") {
			t.Errorf("%s: %d, %s", line, code, errs.String())
		}
	}
}

// TestHelpHasNoEnglishWords: what kong itself adds to a help is Italian too.
func TestHelpHasNoEnglishWords(t *testing.T) {
	t.Parallel()
	english := regexp.MustCompile(`(?m)^(Usage|Flags|Arguments|Commands):|Run "|\[flags\]|<command>|Show context`)
	for _, line := range []string{"--help", "queue --help", "queue list --help", "queue show --help"} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), append(strings.Fields(line), "--lang=it"), stdio{strings.NewReader(""), &out, &errs}); code != 0 {
			t.Errorf("%s: %d %s", line, code, errs.String())
		}
		if found := english.FindAllString(out.String(), -1); found != nil || !strings.Contains(out.String(), "Opzioni:") {
			t.Errorf("%s: %q\n%s", line, found, out.String())
		}
	}
}
