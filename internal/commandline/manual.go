package commandline

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Manual returns the page postino(1) in roff (man(7)), made from the commands;
// Localise decides its language.
func Manual(root *kong.Node, lang, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH POSTINO 1 \"\" \"postino %s\"\n", roff(version))
	section := func(s string) { fmt.Fprintf(&b, ".SH %s\n", roff(strings.ToUpper(s))) }
	section(text("manual.name", "name").In(lang))
	fmt.Fprintf(&b, "postino \\- %s\n", roff(strings.TrimSuffix(description(lang), ".")))
	section(text("manual.synopsis", "synopsis").In(lang))
	fmt.Fprintf(&b, ".B postino\n%s\n", roff(usageWords("<command> [flags]", lang)))
	section(text("manual.global_flags", "flags of every command").In(lang))
	writeFlags(&b, root)
	section(text("manual.commands", "commands").In(lang))
	for _, n := range root.Leaves(true) {
		fmt.Fprintf(&b, ".SS %s\n%s\n", roff("postino "+usageWords(n.Summary(), lang)), roff(n.Help))
		for _, p := range n.Positional {
			if p.Help != "" {
				fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(p.Name), roff(p.Help))
			}
		}
		for parent := n; parent != root; parent = parent.Parent {
			writeFlags(&b, parent)
		}
		if n.Detail != "" {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff(n.Detail))
		}
	}
	section(text("manual.exit", "exit status").In(lang))
	b.WriteString(roff(text("manual.exit_text", "0 on success. send and sendmail use the codes of sysexits.h: 64 wrong flags, "+
		"65 wrong message, 66 file unreadable, 69 refused for good, 75 try later, 76 outcome unknown (look before repeating), "+
		"77 credential or permission, 78 wrong connection.").In(lang)) + "\n")
	return b.String()
}

func writeFlags(b *strings.Builder, n *kong.Node) {
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		name := f.Summary()
		if f.Short != 0 {
			name = "-" + string(f.Short) + ", " + name
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(kong.DefaultHelpValueFormatter(f.Value)))
	}
}

// usageWords is a summary of kong's with its words in lang.
func usageWords(s, lang string) string {
	return strings.NewReplacer("<command>", text("usage.command", "<command>").In(lang),
		"[flags]", text("usage.flags", "[flags]").In(lang)).Replace(s)
}

// roff writes text so that nothing in it is a request or an escape.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
