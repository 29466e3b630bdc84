package web

import (
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/docs"
	"github.com/postino-mail/postino/internal/markdown"
)

// guides are those for administrators, in the order in which they are needed.
var guides = [...]string{"connections", "microsoft-365", "google-workspace", "smtp", "migrate", "people", "operation",
	"verify", "configuration", "reverse-proxy", "high-availability", "providers"}

// A helpScreen is the list of the guides, or one of them.
type helpScreen struct {
	Guides []guide
	Title  string
	Body   template.HTML
}

type guide struct{ Name, Title string }

func (s *Server) help(v *visit) error {
	var out helpScreen
	for _, name := range guides {
		b, err := fs.ReadFile(docs.Guides, name+".md")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(b), "\n")
		out.Guides = append(out.Guides, guide{name, markdown.Render(first, guideLink).Title})
	}
	return v.show("help", out)
}

func (s *Server) guide(v *visit) error {
	name := v.r.PathValue("name")
	b, err := fs.ReadFile(docs.Guides, name+".md")
	if err != nil { // only files of that folder can be named: fs.ValidPath
		return &problem{Status: http.StatusNotFound, Detail: text("web.no_page", "there is no page at this address"),
			Hint: text("web.no_page_hint", "check the address, or start from the overview")}
	}
	d := markdown.Render(string(b), guideLink)
	return v.show("guide", helpScreen{Title: d.Title, Body: d.Body})
}

// guideLink is where a link of a guide leads on the page: to another guide, into the
// same one, or to another site. What is no guide has no link.
func guideLink(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "#") {
		return address
	}
	file, part, _ := strings.Cut(strings.TrimPrefix(address, "docs/"), "#")
	name, ok := strings.CutSuffix(file, ".md")
	if _, err := fs.Stat(docs.Guides, file); !ok || err != nil {
		return ""
	}
	if part != "" {
		part = "#" + part
	}
	return path("/help/", name) + part
}
