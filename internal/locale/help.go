package locale

import (
	"strings"
	"unicode"
)

// HelpCode is the code of the help of a command by the name of its type:
// help.connection_add for connectionAdd, help.serve for serveCommand. That of a
// flag has the Words of its field behind it, that of the examples "more".
func HelpCode(typeName string) string {
	return "help." + Words(strings.TrimSuffix(typeName, "Command"))
}

// Words is a Go name in small letters with _ between its words.
func Words(name string) string {
	var b strings.Builder
	r := []rune(name)
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) && (!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
