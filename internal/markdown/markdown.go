// Package markdown makes HTML of the guides of this repository, which use the
// common part of Markdown: headings, paragraphs, lists, tables, code and links.
package markdown

import (
	"html/template"
	"strings"
	"unicode"
)

// A Document is a rendered text.
type Document struct {
	Title string // the first heading of level 1; it is not part of the body
	Body  template.HTML
}

// Render makes HTML of a text. link turns the address of a link into the one to
// follow, "" where there is none: then its words stand alone. HTML in the text is
// shown as text.
func Render(src string, link func(string) string) Document {
	r := &renderer{lines: strings.Split(strings.ReplaceAll(src, "\r\n", "\n"), "\n"), link: link}
	for r.at < len(r.lines) {
		r.block()
	}
	return Document{Title: r.title, Body: template.HTML(r.out.String())} //nolint:gosec // all text in it is escaped
}

type renderer struct {
	lines []string
	at    int
	out   strings.Builder
	title string
	link  func(string) string
}

// block renders the block that begins at the present line.
func (r *renderer) block() {
	line := r.lines[r.at]
	text := strings.TrimSpace(line)
	switch {
	case text == "":
		r.at++
	case strings.HasPrefix(text, "```"):
		r.code()
	case heading(text) > 0:
		r.at++
		n := heading(text)
		words := strings.TrimSpace(text[n:])
		if n == 1 && r.title == "" {
			r.title = plain(words)
			return
		}
		tag := "h" + string(rune('0'+min(n, 4)))
		r.write("<", tag, ` id="`, ID(words), `">`, r.inline(words), "</", tag, ">\n")
	case strings.HasPrefix(text, "|"):
		r.table()
	case marker(text) > 0:
		r.list(indent(line))
	case strings.HasPrefix(text, ">"):
		r.write("<blockquote>", r.paragraph(func(s string) string { return strings.TrimSpace(strings.TrimPrefix(s, ">")) }), "</blockquote>\n")
	default:
		r.write(r.paragraph(strings.TrimSpace))
	}
}

func (r *renderer) write(parts ...string) {
	for _, p := range parts {
		r.out.WriteString(p)
	}
}

// heading is the level of a heading; 0: the line is none.
func heading(s string) int {
	n := len(s) - len(strings.TrimLeft(s, "#"))
	if n > 6 || n == len(s) || s[n:][0] != ' ' {
		return 0
	}
	return n
}

// marker is the length of the mark of a list's item; 0: the line is none.
func marker(s string) int {
	if len(s) > 1 && (s[0] == '-' || s[0] == '*') && s[1] == ' ' {
		return 2
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits > 0 && digits < 4 && strings.HasPrefix(s[digits:], ". ") {
		return digits + 2
	}
	return 0
}

func indent(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// ends reports that a line cannot go on with a paragraph.
func ends(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || strings.HasPrefix(s, "```") || heading(s) > 0 || strings.HasPrefix(s, "|") || marker(s) > 0 || strings.HasPrefix(s, ">")
}

// paragraph joins the lines of one; the first is taken whatever it is.
func (r *renderer) paragraph(trim func(string) string) string {
	words := []string{trim(r.lines[r.at])}
	for r.at++; r.at < len(r.lines) && !ends(r.lines[r.at]); r.at++ {
		words = append(words, trim(r.lines[r.at]))
	}
	return "<p>" + r.inline(strings.Join(words, " ")) + "</p>\n"
}

func (r *renderer) code() {
	margin := indent(r.lines[r.at])
	var code []string
	for r.at++; r.at < len(r.lines) && !strings.HasPrefix(strings.TrimSpace(r.lines[r.at]), "```"); r.at++ {
		line := r.lines[r.at]
		code = append(code, line[min(margin, indent(line)):])
	}
	r.at++
	r.write(`<pre tabindex="0"><code>`, template.HTMLEscapeString(strings.Join(code, "\n")), "</code></pre>\n")
}

// list renders items that are indented alike; what is indented deeper belongs to
// the item before.
func (r *renderer) list(margin int) {
	tag := "ul"
	if c := strings.TrimSpace(r.lines[r.at])[0]; c >= '0' && c <= '9' {
		tag = "ol"
	}
	r.write("<", tag, ">\n")
	for r.at < len(r.lines) {
		line := r.lines[r.at]
		n := marker(strings.TrimSpace(line))
		if n == 0 || indent(line) != margin {
			break
		}
		r.write("<li>", r.item(strings.TrimSpace(line)[n:]))
		r.nested(margin)
		r.write("</li>\n")
	}
	r.write("</", tag, ">\n")
}

func (r *renderer) item(first string) string {
	words := []string{first}
	for r.at++; r.at < len(r.lines) && !ends(r.lines[r.at]); r.at++ {
		words = append(words, strings.TrimSpace(r.lines[r.at]))
	}
	return r.inline(strings.Join(words, " "))
}

func (r *renderer) nested(margin int) {
	for r.at < len(r.lines) {
		next := r.at
		for next < len(r.lines) && strings.TrimSpace(r.lines[next]) == "" {
			next++
		}
		if next == len(r.lines) || indent(r.lines[next]) <= margin {
			if next < len(r.lines) && marker(strings.TrimSpace(r.lines[next])) > 0 && indent(r.lines[next]) == margin {
				r.at = next
			}
			return
		}
		r.at = next
		r.block()
	}
}

func (r *renderer) table() {
	r.write(`<div class="table"><table>` + "\n")
	for row := 0; r.at < len(r.lines) && strings.HasPrefix(strings.TrimSpace(r.lines[r.at]), "|"); row++ {
		cells := cells(r.lines[r.at])
		r.at++
		if row == 1 && strings.Trim(strings.Join(cells, ""), ":- ") == "" {
			continue
		}
		r.write("<tr>")
		for _, c := range cells {
			tag := "td"
			if row == 0 && strings.TrimSpace(c) != "" { // a corner without text is no heading
				tag = "th"
			}
			r.write("<", tag, ">", r.inline(c), "</", tag, ">")
		}
		r.write("</tr>\n")
	}
	r.write("</table></div>\n")
}

// cells are those of a row; a bar in code or behind a backslash separates none.
func cells(line string) []string {
	line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	var out []string
	var cell strings.Builder
	code := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == '|':
			cell.WriteByte('|')
			i++
		case c == '`':
			code = !code
			cell.WriteByte(c)
		case c == '|' && !code:
			out = append(out, strings.TrimSpace(cell.String()))
			cell.Reset()
		default:
			cell.WriteByte(c)
		}
	}
	return append(out, strings.TrimSpace(cell.String()))
}

// inline renders code, links and emphasis.
func (r *renderer) inline(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "`[*")
		if i < 0 {
			break
		}
		b.WriteString(template.HTMLEscapeString(s[:i]))
		s = s[i:]
		n := 0
		switch {
		case s[0] == '`':
			if end := strings.IndexByte(s[1:], '`'); end >= 0 {
				b.WriteString("<code>" + template.HTMLEscapeString(s[1:1+end]) + "</code>")
				n = end + 2
			}
		case s[0] == '[':
			if mid := strings.Index(s, "]("); mid > 0 {
				if end := strings.IndexByte(s[mid:], ')'); end > 0 {
					b.WriteString(r.anchor(s[1:mid], s[mid+2:mid+end]))
					n = mid + end + 1
				}
			}
		case strings.HasPrefix(s, "**"):
			if end := strings.Index(s[2:], "**"); end > 0 {
				b.WriteString("<strong>" + r.inline(s[2:2+end]) + "</strong>")
				n = end + 4
			}
		default:
			if end := strings.IndexByte(s[1:], '*'); end > 0 && s[1] != ' ' {
				b.WriteString("<em>" + r.inline(s[1:1+end]) + "</em>")
				n = end + 2
			}
		}
		if n == 0 {
			b.WriteByte(s[0])
			n = 1
		}
		s = s[n:]
	}
	b.WriteString(template.HTMLEscapeString(s))
	return b.String()
}

func (r *renderer) anchor(words, address string) string {
	to := r.link(address)
	if to == "" {
		return r.inline(words)
	}
	return `<a href="` + template.HTMLEscapeString(to) + `">` + r.inline(words) + "</a>"
}

// plain is a text without the marks of emphasis and code.
func plain(s string) string { return strings.NewReplacer("`", "", "*", "").Replace(s) }

// ID is the id of a heading: its words in small letters with - between them.
func ID(words string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(plain(words)) {
		switch {
		case unicode.IsLetter(c), unicode.IsDigit(c), c == '-', c == '_':
			b.WriteRune(c)
		case c == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}
