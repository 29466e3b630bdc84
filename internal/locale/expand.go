package locale

import (
	"fmt"
	"strconv"
	"strings"
)

// Expand returns template with the placeholders {name} replaced by the
// arguments, names and values in turn. A value that has texts in several
// languages itself (a method In) is taken in lang. What is no placeholder of an
// argument stays as it is, and values are not searched for placeholders.
func Expand(template, lang string, args []any) string {
	start := strings.IndexByte(template, '{')
	if start < 0 || len(args) < 2 {
		return template
	}
	b := make([]byte, 0, len(template)+32*len(args)/2)
	rest := template
	for start >= 0 {
		b = append(b, rest[:start]...)
		rest = rest[start:]
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			break
		}
		if v, ok := find(args, rest[1:end]); ok {
			b = appendValue(b, lang, v)
			rest = rest[end+1:]
		} else {
			b = append(b, '{')
			rest = rest[1:]
		}
		start = strings.IndexByte(rest, '{')
	}
	return string(append(b, rest...))
}

// find returns the argument of a name.
func find(args []any, name string) (any, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if s, ok := args[i].(string); ok && s == name {
			return args[i+1], true
		}
	}
	return nil, false
}

func appendValue(b []byte, lang string, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, v...)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case interface{ In(lang string) string }:
		return append(b, v.In(lang)...)
	}
	return fmt.Append(b, v)
}

// placeholdersOf returns the names of the placeholders of a template, in order.
func placeholdersOf(template string) []string {
	var names []string
	for {
		start := strings.IndexByte(template, '{')
		if start < 0 {
			return names
		}
		template = template[start+1:]
		end := strings.IndexByte(template, '}')
		if end > 0 && strings.Trim(template[:end], "abcdefghijklmnopqrstuvwxyz0123456789_") == "" {
			names = append(names, template[:end])
			template = template[end+1:]
		}
	}
}
