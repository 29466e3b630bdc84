package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/store"
)

// A languageRun runs command lines in one language and looks for words of
// another one in what they print.
type languageRun struct {
	t     *testing.T
	lang  string
	words map[string]bool // that may stand outside the catalogue: the words of the command line, and technical ones
	leafs map[string]bool // commands that were not run yet
}

// TestNoEnglishInItalian: nothing that any command prints in Italian is an English
// sentence, and nothing but names and data comes from elsewhere than the catalogue.
func TestNoEnglishInItalian(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"it_IT.UTF-8", locale.Pseudo} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			root := model(t)
			r := &languageRun{t: t, lang: lang, words: allowedWords(t, root), leafs: map[string]bool{}}
			for _, n := range root.Leaves(false) {
				r.leafs[commandWords(n)] = true
			}
			r.help()
			r.wrong()
			r.store()
			r.files()
			if len(r.leafs) > 0 {
				t.Errorf("run these commands here too: %v", slices.Sorted(maps.Keys(r.leafs)))
			}
		})
	}
}

func model(t *testing.T) *kong.Node {
	t.Helper()
	var cli commands
	p, err := kong.New(&cli, kong.Name("postino"))
	if err != nil {
		t.Fatal(err)
	}
	return p.Model.Node
}

// help asks for the help of every command, of one parser.
func (r *languageRun) help() {
	var out bytes.Buffer
	p, err := newParser(new(commands), r.lang, stdio{strings.NewReader(""), &out, &out}, kong.Exit(func(int) {}))
	if err != nil {
		r.t.Fatal(err)
	}
	var ask func(n *kong.Node)
	ask = func(n *kong.Node) {
		var line []string
		if n.Type != kong.ApplicationNode {
			line = strings.Fields(commandWords(n))
		}
		out.Reset()
		_, err := p.Parse(append(line, "--help"))
		if out.Len() == 0 {
			r.t.Errorf("%v: no help: %v", line, err)
		}
		r.look(append(line, "--help"), out.String())
		for _, c := range n.Children {
			ask(c)
		}
	}
	ask(p.Model.Node)
}

// wrong are lines that the parser refuses, one for each of its sentences.
func (r *languageRun) wrong() {
	for _, line := range []string{"conection", "connection", "connection lst", "version abc", "connection show",
		"queue export", "queue list --limit=x",
		"queue list --limit", "queue list --since=x", "connection default x --mode=y", "connection list --jso", "connection list --zzzzzzzzzz",
		"connection edit a --per-minute -3", "connection list --data", "doctor --config /none/such"} {
		r.run("", app.ExitUsage, strings.Fields(line)...)
	}
	r.run("", 0, "help", "queue", "list")
	r.run("", 0, "help")
}

// store runs the commands on no store, on an empty one and on one with something of each kind.
func (r *languageRun) store() {
	none := filepath.Join(r.t.TempDir(), "none")
	for _, line := range []string{"queue list", "connection list", "client add erp --connection x", "people add x"} {
		r.run("", -1, append(strings.Fields(line), "--data", none)...)
	}
	s := newShelf(r.t, "Ufficio", 0)
	r.lines("language.txt", map[string]string{"FAILED": s.ids[store.Failed].String(), "QUEUED": s.ids[store.Queued].String(),
		"SENT": s.ids[store.Sent].String(), "NONE": store.NewID().String(), "DIR": r.t.TempDir()}, "--data", s.data)
}

// lines runs those of a file of testdata, with the values in place of names such as $DIR.
func (r *languageRun) lines(file string, values map[string]string, more ...string) {
	for line := range strings.Lines(readFile(r.t, filepath.Join("testdata", file))) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		code := 0
		if rest, ok := strings.CutPrefix(line, "? "); ok {
			line, code = rest, -1
		}
		line, stdin, _ := strings.Cut(os.Expand(line, func(name string) string { return values[name] }), " <<< ")
		r.run(strings.ReplaceAll(stdin, `\n`, "\n"), code, append(strings.Fields(line), more...)...)
	}
}

// files runs what needs no store.
func (r *languageRun) files() {
	dir := r.t.TempDir()
	broken := filepath.Join(dir, "broken.toml")
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			r.t.Fatal(err)
		}
		return path
	}
	conn := write("conn.json", `{"name": "x", "provider": "smtp", "from": "erp@contoso.it", "smtp": {"host": "127.0.0.1", "port": 1, `+
		`"encryption": "none"}}`)
	for _, content := range []string{"data = ", "datta = \"x\"\n", "[smtp]\n", "[retention]\nbodies = \"x\"\n", "workers = \"x\"\n",
		"[limits]\nmax_size = \"x\"\n",
		"workers = -1\n", "[[smtp]]\naddress = \"0.0.0.0:0\"\nauth = \"off\"\n", "a = 1\na = 2\n"} {
		write("broken.toml", content)
		r.run("", -1, "serve", "--config", broken, "--data", dir)
	}
	r.run("", -1, "doctor", "--config", broken, "--data", dir)
	r.lines("language-no-store.txt", map[string]string{"DIR": dir, "CONN": conn})
}

// run runs one line and looks at what it prints; code -1: whatever exit code.
func (r *languageRun) run(stdin string, want int, args ...string) {
	r.t.Helper()
	for path := range r.leafs {
		if w := strings.Fields(path); len(args) >= len(w) && slices.Equal(args[:len(w)], w) && want != app.ExitUsage {
			delete(r.leafs, path)
		}
	}
	var outBuf, errBuf bytes.Buffer
	code := run(r.ctx(args[0]), append([]string{"--lang", r.lang}, args...), stdio{strings.NewReader(stdin), &outBuf, &errBuf})
	out, errOut := outBuf.String(), errBuf.String()
	if want >= 0 && code != want {
		r.t.Errorf("postino %s: exit %d, want %d: %s%s", strings.Join(args, " "), code, want, out, errOut)
	}
	if args[0] == "completion" && !slices.Contains(args, "--help") { // a script
		out = ""
	}
	r.look(args, out)
	r.look(args, errOut)
}

// look finds what should not stand in what a command printed.
func (r *languageRun) look(args []string, s string) {
	r.t.Helper()
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		return // JSON has names of its own
	}
	found := r.english(s)
	if r.lang == locale.Pseudo {
		found = r.outside(s)
	}
	if len(found) > 0 {
		r.t.Errorf("postino %s:\n%q in\n%s", strings.Join(args, " "), found, s)
	}
}

// ctx is that of a command; what serves until it is stopped is stopped when it begins.
func (r *languageRun) ctx(name string) context.Context {
	ctx, cancel := context.WithCancel(r.t.Context())
	if name == "serve" || name == "sandbox" {
		cancel()
	}
	r.t.Cleanup(cancel)
	return ctx
}

// notLocal are lines that are the same in all languages: those of the server's log, and what is roff in a manual page.
var notLocal = regexp.MustCompile(`(?m)^time=.*$|^\.[A-Z]{2}.*$|^\.(nf|fi)$`)

// data are what a person typed, or what has one form in all languages.
var data = regexp.MustCompile(`(?m)[a-z_.]+: \S*( →.*)?$|[a-z_.]+: \S+ →.*$|https?://\S+|\S*@\S+|\S*/\S+|--?[a-zA-Z][\w-]*(=\S+)?|` +
	`\$\w+|<[^>\s]+>|[0-9][0-9a-z.:-]*|"[^"\s]*"|` +
	`p[ci k]_\S+|[\w-]+(\.[\w-]+)+|\([A-Za-z0-9_.]+\)|\b[0-9a-f]{16,}\b|\b[0-9a-z]{26}\b|\b[A-Z_]{2,}\b`)

var word = regexp.MustCompile(`\p{L}[\p{L}\p{M}_']+`)

// outside are the words that stand neither in brackets nor among the allowed ones.
func (r *languageRun) outside(s string) (found []string) {
	rest, err := locale.Outside(notLocal.ReplaceAllString(s, ""))
	if err != nil {
		return []string{err.Error()}
	}
	for _, w := range word.FindAllString(data.ReplaceAllString(rest, " "), -1) {
		if !r.words[strings.ToLower(w)] && !r.words[w] {
			found = append(found, w)
		}
	}
	return found
}

// english are the English function words of a text.
func (r *languageRun) english(s string) (found []string) {
	for _, w := range word.FindAllString(data.ReplaceAllString(notLocal.ReplaceAllString(s, ""), " "), -1) {
		if englishWords[strings.ToLower(w)] && !r.words[strings.ToLower(w)] {
			found = append(found, w)
		}
	}
	return found
}

// englishWords are words that an English sentence can hardly do without, and that Italian does not have.
var englishWords = set("the is was were not with and or of to from for by this that these those which who whose has have had cannot " +
	"can't " +
	"its it's are be been being an there their they them than then when where while what why how does did do you your must may might should " +
	"would could will shall into onto about after before because between until without within under over only more most " +
	"less such some each every " +
	"both either neither one two already again yet invalid missing expected found unexpected error")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// allowedWords are the names of commands, flags and their values, and words that are the same in all languages.
func allowedWords(t *testing.T, root *kong.Node) map[string]bool {
	m := set("postino it en smtp http https graph gmail entra imap json toml csv dns tls starttls tcp ok no pem utc ms go devel fd root " +
		"sha mib microsoft google workspace relay connector bulk transactional command line array socket workers " +
		"domain region after before mime media service shutting down " +
		// what the tests put in
		"ufficio riserva seconda terza nessuna erp anna bruno contoso it portale tutto altro aruba sito x y conection lst abc fattura del " +
		"perché la qualità già qui società pdf")
	for _, list := range [][]string{store.AuditKinds(), connections.States(), api.Scopes(), presetWords(t)} {
		for _, name := range list {
			for _, w := range word.FindAllString(name, -1) {
				m[strings.ToLower(w)] = true
			}
		}
	}
	for _, s := range store.States() { // --state takes them
		m[s.String()] = true
	}
	var add func(n *kong.Node)
	add = func(n *kong.Node) {
		for _, s := range append([]string{n.Name}, n.Aliases...) {
			for w := range strings.SplitSeq(s, "-") {
				m[w] = true
			}
		}
		for _, f := range n.Flags {
			m[f.Name] = true
			for w := range strings.SplitSeq(f.PlaceHolder+","+f.Enum+","+f.Default, ",") {
				m[w] = true
			}
		}
		for _, p := range n.Positional {
			m[p.Name] = true
		}
		for _, c := range n.Children {
			add(c)
		}
	}
	add(root)
	return m
}

// presetWords are the names of providers.
func presetWords(t *testing.T) (names []string) {
	t.Helper()
	all, err := presets.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		names = append(names, p.Name, p.Title)
	}
	return names
}
