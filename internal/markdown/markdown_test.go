package markdown

import (
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	t.Parallel()
	link := func(s string) string {
		if strings.HasSuffix(s, ".md") {
			return "/help/" + strings.TrimSuffix(s, ".md")
		}
		return ""
	}
	for _, c := range []struct{ src, title, want string }{
		{"# A `b`\n\ntext\ngoes on", "A b", "<p>text goes on</p>"},
		{"## Add <people>", "", `<h2 id="add-people">Add &lt;people&gt;</h2>`},
		{"a **b** *c* `d *e*` [f](g.md) [h](javascript:x)", "",
			`<p>a <strong>b</strong> <em>c</em> <code>d *e*</code> <a href="/help/g">f</a> h</p>`},
		{"<script>x</script>", "", "<p>&lt;script&gt;x&lt;/script&gt;</p>"},
		{"- a\n- b\n  c\n  - d\n\n    ```\n    e\n    ```\n- f", "",
			`<ul> <li>a</li> <li>b c<ul> <li>d<pre tabindex="0"><code>e</code></pre> </li> </ul> </li> <li>f</li> </ul>`},
		{"1. a\n2. b", "", "<ol> <li>a</li> <li>b</li> </ol>"},
		{"| a | `b|c` |\n|---|---|\n| d\\|e | |", "",
			`<div class="table"><table> <tr><th>a</th><th><code>b|c</code></th></tr> <tr><td>d|e</td><td></td></tr> </table></div>`},
		{"| | a |\n|---|---|\n| b | c |", "",
			`<div class="table"><table> <tr><td></td><th>a</th></tr> <tr><td>b</td><td>c</td></tr> </table></div>`},
		{"> a\n> b", "", "<blockquote><p>a</p> </blockquote> <blockquote><p>b</p> </blockquote>"},
		{"```sh\na < b\n", "", `<pre tabindex="0"><code>a &lt; b </code></pre>`},
		{"a [b and * c ` d", "", "<p>a [b and * c ` d</p>"},
	} {
		got := Render(c.src, link)
		if body := strings.TrimSpace(strings.ReplaceAll(string(got.Body), "\n", " ")); body != c.want || got.Title != c.title {
			t.Errorf("%q:\n%s %q\nwant\n%s", c.src, body, got.Title, c.want)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("# a\n- b\n  - c\n|d|\n```\ne")
	f.Fuzz(func(t *testing.T, src string) {
		body := string(Render(src, func(string) string { return "" }).Body)
		if strings.Contains(body, "<script") {
			t.Errorf("%q makes %s", src, body)
		}
	})
}
