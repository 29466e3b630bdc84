package web

import (
	"net/http"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/mime"
)

func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }

// A problem is why a screen cannot be shown or a change was refused. Its texts are
// safe to show.
type problem struct {
	Status int
	Code   string // stable name, small beside the text
	Detail sentence
	Hint   sentence // nil: nothing to do
	Field  string   // to blame; may be empty
	Errors []api.FieldError
}

// A sentence is a text in the reader's language.
type sentence interface{ In(lang string) string }

// said is a sentence that the API has put in the reader's language already.
type said string

func (s said) In(string) string { return string(s) }

// Error is the English text.
func (p *problem) Error() string { return p.Detail.In("en") }

// ofAPI is the problem that the API answered with.
func ofAPI(p *api.Problem) *problem {
	out := &problem{Status: p.Status, Code: p.Code, Detail: said(p.Detail), Field: p.Field, Errors: p.Errors}
	if p.Hint != "" {
		out.Hint = said(p.Hint)
	}
	return out
}

func internal() *problem {
	return &problem{Status: http.StatusInternalServerError, Detail: text("web.internal", "this did not work, and the fault is the server's"),
		Hint: text("web.internal_hint", "try again; the server's log says why")}
}

// noScreen is the problem of an address that the page does not have.
func noScreen(r *http.Request) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &problem{Status: http.StatusMethodNotAllowed, Detail: text("web.no_form", "nothing can be sent to this address"),
			Hint: text("web.no_form_hint", "open the page again and use its buttons")}
	}
	return &problem{Status: http.StatusNotFound, Detail: text("web.no_page", "there is no page at this address"),
		Hint: text("web.no_page_hint", "check the address, or start from the overview")}
}

// forbidden is the problem of a screen that is for administrators.
func forbidden() *problem {
	return &problem{Status: http.StatusForbidden, Detail: text("web.admin_only", "this is for an administrator"),
		Hint: text("web.admin_only_hint", "ask an administrator to do it, or to give you the role")}
}
