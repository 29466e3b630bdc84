package mime

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// TextFromHTML makes the text that a reader without HTML sees: paragraphs,
// lists, tables as rows with " | " between cells, link addresses in angle
// brackets, alternative texts of images; no scripts, styles or hidden parts.
// Lines end with LF. Time and memory are linear in the length of h; broken
// HTML returns what can be read of it.
func TextFromHTML(h string) string {
	t := &textMaker{}
	t.read(h)
	if t.skip != "" && !isCode(t.skip) {
		// A hidden element that never ends would take the rest with it.
		t = &textMaker{showHidden: true}
		t.read(h)
	}
	return t.finish()
}

func (t *textMaker) read(h string) {
	z := html.NewTokenizer(strings.NewReader(h))
	for {
		switch z.Next() {
		case html.ErrorToken: // the end: a string has no other error
			return
		case html.TextToken:
			t.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			t.start(z.Token())
		case html.EndTagToken:
			name, _ := z.TagName()
			t.end(string(name))
		}
	}
}

// maxNesting bounds what nested lists and quotations indent.
const maxNesting = 20

type textMaker struct {
	out       strings.Builder
	breaks    int    // line ends due before the next text
	space     bool   // a space is due
	cells     int    // cell separators due
	rowText   bool   // the table row has text
	cellStart bool   // the table cell has none yet
	marker    string // list marker due
	dirty     bool   // the current line has text
	pre       int
	quotes    int
	lists     []int // number of the next item, 0 for a bulleted list

	skip       string // inside an element that is not shown
	skipDepth  int
	showHidden bool

	href      string // of the open link
	linkStart int    // where its text begins in out
}

func (t *textMaker) start(tok html.Token) {
	name := tok.Data
	if t.skip != "" {
		if name == t.skip && tok.Type == html.StartTagToken {
			t.skipDepth++
		}
		return
	}
	if tok.Type == html.StartTagToken && !isVoid(name) && (isCode(name) || !t.showHidden && isHidden(tok.Attr)) {
		t.skip, t.skipDepth = name, 1
		return
	}
	switch name {
	case "br":
		if !t.cellStart {
			t.breaks++
		}
	case "hr":
		t.need(1)
		t.write("----")
		t.need(1)
	case "img":
		if alt := strings.Join(strings.Fields(attr(tok.Attr, "alt")), " "); alt != "" {
			t.text("[" + alt + "]")
		}
	case "a":
		t.closeLink()
		t.href, t.linkStart = strings.TrimSpace(invisible(attr(tok.Attr, "href"))), -1
	case "ul", "ol":
		t.openList(name, tok.Attr)
	case "li":
		t.item()
	case "tr":
		t.cells, t.rowText, t.cellStart = 0, false, false
		t.need(1)
	case "td", "th":
		t.cell()
	case "pre", "textarea":
		t.need(2)
		t.pre++
	case "blockquote":
		t.need(2)
		t.quotes = min(t.quotes+1, maxNesting)
	default:
		t.need(blankAround(name))
	}
}

func (t *textMaker) end(name string) {
	if t.skip != "" {
		if name == t.skip {
			if t.skipDepth--; t.skipDepth == 0 {
				t.skip = ""
			}
		}
		return
	}
	switch name {
	case "a":
		t.closeLink()
	case "ul", "ol":
		if len(t.lists) > 0 {
			t.lists = t.lists[:len(t.lists)-1]
		}
		t.marker = ""
		if len(t.lists) == 0 {
			t.need(2)
		}
	case "li":
		t.marker, t.breaks = "", 1 // a paragraph inside does not space out the list
	case "tr":
		t.cells, t.rowText, t.cellStart, t.breaks = 0, false, false, 1
	case "pre", "textarea":
		t.pre = max(t.pre-1, 0)
		t.need(2)
	case "blockquote":
		t.need(2)
		t.quotes = max(t.quotes-1, 0)
	case "table":
		t.cellStart = false
		t.need(2)
	default:
		t.need(blankAround(name))
	}
}

// blankAround is how many line ends separate a block element from what is beside it.
func blankAround(name string) int {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "dl", "figure", "fieldset":
		return 2
	case "div", "section", "article", "header", "footer", "main", "nav", "aside", "address", "center", "form",
		"caption", "thead", "tbody", "tfoot", "dt", "dd", "figcaption", "option", "body", "html":
		return 1
	}
	return 0
}

// need asks for line ends before the next text; a list marker or the start of
// a table cell and their paragraph stay together.
func (t *textMaker) need(n int) {
	if t.marker == "" && !t.cellStart {
		t.breaks = max(t.breaks, n)
	}
}

func (t *textMaker) openList(name string, attrs []html.Attribute) {
	next := 0
	if name == "ol" {
		next = 1
		if n, err := strconv.Atoi(attr(attrs, "start")); err == nil && n > 0 && n < 1_000_000 {
			next = n
		}
	}
	if len(t.lists) == 0 {
		t.need(2)
	} else {
		t.need(1)
	}
	t.lists = append(t.lists, next)
}

func (t *textMaker) item() {
	t.need(1)
	depth := len(t.lists)
	if depth == 0 {
		t.marker = "- "
		return
	}
	t.marker = strings.Repeat("  ", min(depth, maxNesting)-1) + "- "
	if n := t.lists[depth-1]; n > 0 {
		t.marker = strings.Repeat("  ", min(depth, maxNesting)-1) + strconv.Itoa(n) + ". "
		t.lists[depth-1]++
	}
}

// cell begins a table cell. Paragraphs inside cells, which Outlook always
// writes, do not break the row.
func (t *textMaker) cell() {
	if t.rowText {
		t.cells++
		t.breaks, t.space = 0, false
	}
	t.cellStart = true
}

func (t *textMaker) text(s string) {
	if t.skip != "" {
		return
	}
	s = invisible(s)
	if t.pre > 0 {
		for i, line := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
			if i > 0 {
				t.breaks++
			}
			if line != "" {
				t.write(line)
			}
		}
		return
	}
	for i, w := range strings.FieldsFunc(s, isHTMLSpace) {
		if i > 0 || isHTMLSpace(rune(s[0])) {
			t.space = true
		}
		t.write(w)
	}
	if s != "" && isHTMLSpace(rune(s[len(s)-1])) {
		t.space = true
	}
}

// write puts out what is due and then s, which is not empty.
func (t *textMaker) write(s string) {
	if strings.Trim(s, "\u00a0 ") == "" { // an empty paragraph of Outlook, or padding
		t.space = true
		return
	}
	if t.out.Len() == 0 {
		t.breaks = 0
	}
	if t.breaks > 0 {
		prefix := strings.Repeat("> ", t.quotes)
		for range min(t.breaks, 2) {
			t.out.WriteByte('\n')
		}
		t.out.WriteString(prefix)
		t.dirty, t.space = false, false
		t.cells = 0
	} else if t.out.Len() == 0 {
		t.out.WriteString(strings.Repeat("> ", t.quotes))
	}
	t.breaks = 0
	for ; t.cells > 0; t.cells-- {
		t.out.WriteString(" | ")
		t.space = false
	}
	t.out.WriteString(t.marker)
	if t.marker != "" {
		t.marker, t.space = "", false
	}
	if t.space && t.dirty {
		t.out.WriteByte(' ')
	}
	t.space = false
	if t.href != "" && t.linkStart < 0 {
		t.linkStart = t.out.Len()
	}
	t.out.WriteString(strings.ReplaceAll(s, "\u00a0", " "))
	t.dirty, t.rowText, t.cellStart = true, true, false
}

// closeLink adds the address of a link to its text, where it says more.
func (t *textMaker) closeLink() {
	href := t.href
	t.href = ""
	if href == "" || t.linkStart < 0 || !worthShowing(href) {
		return
	}
	shown := t.out.String()[t.linkStart:]
	bare := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(href, "mailto:"), "https://"), "http://")
	if strings.EqualFold(strings.TrimSuffix(shown, "/"), strings.TrimSuffix(href, "/")) ||
		strings.EqualFold(strings.TrimSuffix(shown, "/"), strings.TrimSuffix(bare, "/")) {
		return
	}
	t.out.WriteString(" <" + strings.Join(strings.Fields(href), "%20") + ">")
}

func worthShowing(href string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(href), ":")
	return ok && (scheme == "http" || scheme == "https" || scheme == "mailto" || scheme == "tel" || scheme == "ftp")
}

func (t *textMaker) finish() string {
	t.closeLink()
	lines := strings.Split(t.out.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	s := strings.Trim(strings.Join(lines, "\n"), "\n")
	if s == "" {
		return ""
	}
	return s + "\n"
}

// isCode reports elements with content that is not text to be read.
func isCode(name string) bool {
	switch name {
	case "script", "style", "title", "template", "noscript", "iframe", "noframes", "noembed", "object", "svg", "math", "select":
		return true
	}
	return false
}

// isHidden reports elements that are not shown, such as the preview lines of newsletters.
func isHidden(attrs []html.Attribute) bool {
	for _, a := range attrs {
		switch a.Key {
		case "hidden":
			return true
		case "style":
			v := strings.ToLower(strings.Join(strings.Fields(a.Val), ""))
			if strings.Contains(v, "display:none") || strings.Contains(v, "visibility:hidden") {
				return true
			}
		}
	}
	return false
}

func isVoid(name string) bool {
	switch name {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr":
		return true
	}
	return false
}

func attr(attrs []html.Attribute, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func isHTMLSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f' }

// invisible drops characters that only shape HTML lines, and controls.
func invisible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0x00ad, r == 0x034f, r == 0x200b, r == 0xfeff, r == 0x7f, r < ' ' && !isHTMLSpace(r):
			return -1
		}
		return r
	}, s)
}
