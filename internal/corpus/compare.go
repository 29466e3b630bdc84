package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/mime"
)

// Compare checks what m holds against what was seen. mode names m in failures.
func Compare(t testing.TB, mode string, m *mime.Message, want Expected) {
	t.Helper()
	if got := specs(m.From()); !slices.Equal(got, want.From) {
		t.Errorf("%s: From %q, want %q", mode, got, want.From)
	}
	var got []string
	for _, r := range m.Recipients() {
		got = append(got, r.String())
	}
	slices.Sort(got)
	if w := slices.Sorted(slices.Values(want.Recipients)); !slices.Equal(got, w) {
		t.Errorf("%s: recipients %q, want %q", mode, got, w)
	}
	compareContent(t, mode, m, want)
}

// compareContent is Compare without the people.
func compareContent(t testing.TB, mode string, m *mime.Message, want Expected) {
	t.Helper()
	if s := strings.TrimSpace(m.Subject()); want.Subject != nil && s != *want.Subject {
		t.Errorf("%s: subject %q, want %q", mode, s, *want.Subject)
	}
	text, html, files := content(t, m, want.Unreadable)
	if text != want.Text || html != want.HTML {
		t.Errorf("%s: text %.8s, want %.8s; HTML %.8s, want %.8s", mode, text, want.Text, html, want.HTML)
	}
	for i, f := range want.Attachments {
		if slices.Contains(want.Unreadable, f.Name) {
			want.Attachments = slices.Clone(want.Attachments)
			want.Attachments[i].SHA256 = ""
		}
	}
	if !slices.Equal(files, want.Attachments) {
		t.Errorf("%s: attachments\n%q, want\n%q", mode, files, want.Attachments)
	}
}

func specs(list []mime.Address) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, a.Address.String())
	}
	return out
}

// content hashes the leaves of m as index.py does.
func content(t testing.TB, m *mime.Message, unreadable []string) (text, html string, files []File) {
	t.Helper()
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	files = []File{}
	root.Walk(false, func(p *mime.Part) bool {
		if p.Multipart() {
			return true
		}
		data, err := io.ReadAll(m.Open(p))
		if bad := slices.Contains(unreadable, p.Filename); bad != (err != nil) {
			t.Errorf("content of %s %q: %v", p.MediaType, p.Filename, err)
		}
		sum := Hash(p.MediaType, data)
		switch {
		case err != nil:
			sum = ""
		case p.MediaType == "text/plain" && p.Disposition != "attachment" && text == "":
			text = sum
			return true
		case p.MediaType == "text/html" && p.Disposition != "attachment" && html == "":
			html = sum
			return true
		}
		files = append(files, File{p.Filename, p.MediaType, sum})
		return true
	})
	return text, html, files
}

// Hash is the hash of a part's content as index.py makes it: line ends and the
// white space that encodings may lose do not count in text.
func Hash(mediaType string, data []byte) string {
	lf := func() string {
		return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	}
	switch {
	case strings.HasPrefix(mediaType, "text/"):
		data = []byte(strings.TrimRight(lf(), "\n"))
	case strings.HasPrefix(mediaType, "message/"):
		var kept []string
		for line := range strings.SplitSeq(lf(), "\n") {
			if line = strings.TrimRight(line, " \t"); line != "" {
				kept = append(kept, line)
			}
		}
		data = []byte(strings.Join(kept, "\n"))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
