package mime

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextFromHTML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"empty":           {"", ""},
		"plain":           {"ciao", "ciao\n"},
		"spaces":          {" a \n  b<b> c</b>d ", "a b cd\n"},
		"paragraphs":      {"<p>a</p><p>b<br>c</p>d", "a\n\nb\nc\n\nd\n"},
		"divs":            {"<div>a</div><div>b</div>", "a\nb\n"},
		"outlook blank":   {"<p>a</p><p>&nbsp;</p><p>b</p>", "a\n\nb\n"},
		"entities":        {"&lt;a&gt; &amp; &egrave; &#8364; &nbsp;x", "<a> & è €  x\n"},
		"head":            {"<html><head><title>T</title><style>p{}</style></head><body>x<script>alert('</p>')</script></body></html>", "x\n"},
		"comment":         {"a<!--[if mso]><p>b</p><![endif]-->c", "ac\n"},
		"hidden":          {`<div style="display: none">pre<div>x</div>view</div>shown`, "shown\n"},
		"hidden unclosed": {`<p style="display:none">pre<p>shown`, "pre\n\nshown\n"},
		"link":            {`<a href="https://a.example/x">qui</a>.`, "qui <https://a.example/x>.\n"},
		"link same": {`<a href="https://a.example/">a.example</a> <a href="mailto:a@b.example">a@b.example</a>`,
			"a.example a@b.example\n"},
		"link script":      {`<a href="javascript:alert(1)">x</a><a href="#top">y</a>`, "xy\n"},
		"link image":       {`<a href="https://a.example"><img src="x" alt="Logo"></a>`, "[Logo] <https://a.example>\n"},
		"link unclosed":    {`<a href="https://a.example/1">one`, "one <https://a.example/1>\n"},
		"list":             {"x<ul><li>a</li><li>b<ul><li>c</ul></li></ul>y", "x\n\n- a\n- b\n  - c\n\ny\n"},
		"list paragraphs":  {"<ul><li><p>a</p></li><li><p>b</p></li></ul>", "- a\n- b\n"},
		"numbers":          {`<ol start="9"><li>a<li>b</ol>`, "9. a\n10. b\n"},
		"table":            {"<table><tr><th>A</th><th>B</th></tr><tr><td><p>1</p></td><td><p>2</p></td></tr></table>", "A | B\n1 | 2\n"},
		"table empty cell": {"<table><tr><td></td><td>a</td><td></td><td>b</td><td></td></tr></table>", "a |  | b\n"},
		"pre":              {"<pre>a  b\n  c</pre>d", "a  b\n  c\n\nd\n"},
		"quote":            {"a<blockquote>b<br>c<blockquote>d</blockquote></blockquote>e", "a\n\n> b\n> c\n\n> > d\n\ne\n"},
		"rule":             {"a<hr>b", "a\n----\nb\n"},
		"invisible":        {"a\u200bb&shy;c\ufeff", "abc\n"},
		"stray ends":       {"</td></ul></li></blockquote></pre>a", "a\n"},
	} {
		if got := TextFromHTML(c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestTextFromHTMLDepth: nesting costs neither stack nor quadratic output.
func TestTextFromHTMLDepth(t *testing.T) {
	t.Parallel()
	const n = 4_000
	for _, tag := range []string{"div", "ul><li", "blockquote", "table><tr><td", "b", "a href='https://a.example'"} {
		h := strings.Repeat("<"+tag+">x", n)
		if got := len(TextFromHTML(h)); got > 100*n {
			t.Errorf("%s: %d octets of text", tag, got)
		}
	}
}

func FuzzTextFromHTML(f *testing.F) {
	for _, s := range []string{"<p>a", "<ul><li>x", "<a href=https://x>y", "<table><tr><td>1<td>2", "<pre>\r\n x", "<blockquote>\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		got := TextFromHTML(h)
		if utf8.ValidString(h) && !utf8.ValidString(got) {
			t.Errorf("%q gives text that is not UTF-8: %q", h, got)
		}
		if strings.ContainsAny(got, "\r") || got != "" && (!strings.HasSuffix(got, "\n") || strings.HasPrefix(got, "\n")) {
			t.Errorf("%q gives %q", h, got)
		}
	})
}
