// Package commandline prints the help of commands and what is wrong with a command line in the reader's language.
package commandline

import (
	"bytes"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/mime"
)

func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }

// description is what postino is, in one sentence.
func description(lang string) string {
	return text("help.postino", "Outbound mail gateway: SMTP, HTTP and sendmail in; Microsoft Graph, Gmail API and SMTP out.").In(lang)
}

// Localise puts the texts of lang in place of the English of the struct tags,
// for a command and those below it. It reads the catalogue, so it is for who
// prints them, and no command pays for it at its start.
func Localise(n *kong.Node, lang string) {
	lang = locale.Match(lang)
	if n.Type == kong.ApplicationNode {
		n.Help = description(lang)
	}
	replace := func(s *string, code string) {
		if lang == locale.English {
			return // stands in the tags
		}
		if t, ok := locale.Text(lang, code, nil); ok {
			*s = t
		}
	}
	t := n.Target.Type()
	replace(&n.Help, locale.HelpCode(t.Name()))
	replace(&n.Detail, locale.HelpCode(t.Name())+".more")
	codes := map[string]string{}
	flagCodes(t, codes)
	for _, f := range n.Flags {
		if f.Name == "help" {
			f.Help = text("usage.help", "Show this help.").In(lang)
			continue
		}
		replace(&f.Help, codes[f.Name])
	}
	for _, p := range n.Positional {
		replace(&p.Help, codes[p.Name])
	}
	for _, child := range n.Children {
		Localise(child, lang)
	}
}

// flagCodes finds the code of each flag and argument of a command by its name.
func flagCodes(t reflect.Type, codes map[string]string) {
	for f := range t.Fields() {
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			flagCodes(f.Type, codes)
			continue
		}
		if _, ok := f.Tag.Lookup("cmd"); ok || f.Tag.Get("help") == "" {
			continue
		}
		name := f.Tag.Get("name")
		if name == "" {
			name = strings.ReplaceAll(locale.Words(f.Name), "_", "-")
		}
		codes[name] = locale.HelpCode(t.Name()) + "." + locale.Words(f.Name)
	}
}

// PrintHelp returns a printer of the help in lang, kong's own words included.
func PrintHelp(lang string) kong.HelpPrinter {
	return func(options kong.HelpOptions, ctx *kong.Context) error {
		Localise(ctx.Model.Node, lang)
		out := ctx.Stdout
		var b bytes.Buffer
		ctx.Stdout = &b
		err := kong.DefaultHelpPrinter(options, ctx)
		ctx.Stdout = out
		if err != nil {
			return err
		}
		lines := strings.SplitAfter(b.String(), "\n")
		for i, line := range lines {
			lines[i] = helpLine(line, lang)
		}
		_, err = out.Write([]byte(strings.Join(lines, "")))
		return err
	}
}

// helpLine is one line of kong's help in lang.
func helpLine(line, lang string) string {
	switch strings.TrimSuffix(line, "\n") {
	case "Arguments:":
		return text("usage.head_arguments", "Arguments:").In(lang) + "\n"
	case "Flags:":
		return text("usage.head_flags", "Flags:").In(lang) + "\n"
	case "Commands:":
		return text("usage.head_commands", "Commands:").In(lang) + "\n"
	case `Run "postino <command> --help" for more information on a command.`:
		return text("usage.more", `Run "postino <command> --help" for more information on a command.`).In(lang) + "\n"
	}
	rest, ok := strings.CutPrefix(line, "Usage: ")
	if !ok {
		return line
	}
	return text("usage.line", "Usage: {command}", "command", usageWords(rest, lang)).In(lang)
}
