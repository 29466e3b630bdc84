package web

import (
	"bufio"
	"compress/gzip"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/markdown"
)

// guides are those for administrators, in the order in which they are needed.
var guides = [...]string{"getting-started", "programs", "connections", "microsoft-365", "google-workspace", "smtp", "presets", "migrate",
	"people", "operation", "verify", "monitoring", "configuration", "api", "reverse-proxy", "high-availability", "providers"}

// guideFolder has the guides as NAME.LANGUAGE.HASH.md.gz, made from docs/ by go test
// ./internal/web -run TestAssets -update: 60 % of their bytes would be in the program for nothing.
const guideFolder = "compressed/guides/"

// A helpScreen is the list of the guides, or one of them.
type helpScreen struct {
	Guides []guide
	guide
	Body template.HTML
}

type guide struct{ Name, Title, Lang string }

func (s *Server) help(v *visit) error {
	var out helpScreen
	for _, name := range guides {
		text, lang, err := openGuide(name, v.lang)
		if err != nil {
			return err
		}
		first, err := bufio.NewReader(text).ReadString('\n')
		if err != nil {
			return err
		}
		out.Guides = append(out.Guides, guide{name, markdown.Render(first, guideLink).Title, lang})
	}
	return v.show("help", out)
}

func (s *Server) guide(v *visit) error {
	name := v.r.PathValue("name")
	if !slices.Contains(guides[:], name) {
		return &problem{Status: http.StatusNotFound, Detail: text("web.no_page", "there is no page at this address"),
			Hint: text("web.no_page_hint", "check the address, or start from the overview")}
	}
	text, lang, err := openGuide(name, v.lang)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	d := markdown.Render(string(b), guideLink)
	return v.show("guide", helpScreen{guide: guide{name, d.Title, lang}, Body: d.Body})
}

// openGuide opens a guide in a language, and says in which one it is: what is not
// translated is in English.
func openGuide(name, lang string) (io.Reader, string, error) {
	files, err := fs.Glob(assetFiles, guideFolder+name+"."+lang+".*.md.gz")
	if err != nil {
		return nil, "", err
	}
	if len(files) == 0 && lang != "en" {
		return openGuide(name, "en")
	}
	if len(files) != 1 {
		return nil, "", &fs.PathError{Op: "open", Path: guideFolder + name, Err: fs.ErrNotExist}
	}
	f, err := assetFiles.Open(files[0])
	if err != nil {
		return nil, "", err
	}
	text, err := gzip.NewReader(f) // a file in memory: there is nothing to close
	return text, lang, err
}

// guideLink is where a link of a guide leads on the page: to another guide, into the
// same one, or to another site. What is no guide has no link.
func guideLink(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "#") {
		return address
	}
	file, part, _ := strings.Cut(strings.TrimPrefix(address, "../"), "#")
	name := strings.TrimSuffix(file, ".md")
	if file == "monitoring/README.md" {
		name = "monitoring"
	}
	if !slices.Contains(guides[:], name) {
		return ""
	}
	if part != "" {
		part = "#" + part
	}
	return path("/help/", name) + part
}
