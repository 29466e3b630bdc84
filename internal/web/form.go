package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxForm bounds the body of a form.
const maxForm = 1 << 20

// A form keeps what was typed, and what is wrong with it.
type form struct {
	Values  url.Values
	Summary []objection // in order; empty: nothing is wrong
	Problem *problem    // what is wrong with no field
	byField map[string]string
	status  int
}

// An objection is what is wrong with one field.
type objection struct {
	Field   string // id of the control; empty: none on this form
	Message string
}

// newForm reads what was posted; on a GET it has what the address asks for.
func newForm(v *visit) (*form, error) {
	f := &form{Values: v.r.URL.Query(), byField: map[string]string{}}
	if v.r.Method == http.MethodPost {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
		if err := v.r.ParseForm(); err != nil {
			return nil, &problem{Status: http.StatusBadRequest, Detail: text("web.bad_form", "the form cannot be read"),
				Hint: text("web.bad_form_hint", "open the page again and fill it in once more")}
		}
		f.Values = v.r.PostForm
	}
	return f, nil
}

// formOf is a form that shows values which are stored.
func formOf(pairs ...string) *form {
	f := &form{Values: url.Values{}, byField: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Values.Set(pairs[i], pairs[i+1])
	}
	return f
}

// Get is the value of a field without the spaces around it.
func (f *form) Get(name string) string { return strings.TrimSpace(f.Values.Get(name)) }

// Secret is the value of a field as it was typed.
func (f *form) Secret(name string) string { return f.Values.Get(name) }

// Checked reports a box that is ticked.
func (f *form) Checked(name string) bool { return f.Values.Get(name) != "" }

// Wrong is what is wrong with a field; empty: nothing.
func (f *form) Wrong(name string) string { return f.byField[name] }

func (f *form) refused() bool { return len(f.Summary) > 0 || f.Problem != nil }

// object enters what is wrong with a field.
func (f *form) object(field string, what sentence, lang string) {
	f.status = http.StatusUnprocessableEntity
	f.Summary = append(f.Summary, objection{fieldID(field), what.In(lang)})
	f.byField[field] = what.In(lang)
}

// refuse puts what the API refused beside its fields. It returns other errors, and
// refusals that no other input would change.
func (f *form) refuse(v *visit, err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusInternalServerError:
		return err
	case http.StatusForbidden:
		if p.Field == "" { // a field that is an administrator's is objected to where it stands
			return err
		}
	}
	f.status = p.Status
	for _, e := range p.Errors {
		f.object(short(e.Field), said(e.Message), v.lang)
	}
	if len(p.Errors) == 0 && p.Field != "" {
		f.object(short(p.Field), p.Detail, v.lang)
		if p.Hint != nil {
			f.Problem = &problem{Code: p.Code, Detail: p.Hint}
		}
	}
	if len(f.Summary) == 0 {
		f.Problem = p
	}
	f.status = p.Status
	return nil
}

// rename moves what is wrong with a field of the API to the control that has it.
func (f *form) rename(from, to string) {
	if what, ok := f.byField[from]; ok {
		delete(f.byField, from)
		f.byField[to] = what
	}
	for i := range f.Summary {
		if f.Summary[i].Field == fieldID(from) {
			f.Summary[i].Field = fieldID(to)
		}
	}
}

// refuseSignIn is refuse where the API answers a wrong password with 401.
func (f *form) refuseSignIn(v *visit, err error) error {
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		again := *p
		again.Status, again.Code = http.StatusUnprocessableEntity, ""
		err = &again
	}
	return f.refuse(v, err)
}

// short is the name of the API's field without the place where it stands.
func short(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "body."), "query.")
}

func fieldID(name string) string {
	return "f-" + strings.Map(func(r rune) rune {
		if r == '.' || r == '[' || r == ']' {
			return '-'
		}
		return r
	}, name)
}

// A field is one control of a form, for the parts "field", "select", "check" and "area".
type field struct {
	Name, ID, Label, Value, Error string

	Type         string // of the input; text without one
	Hint         string // under the control
	Autocomplete string
	Inputmode    string
	Pattern      string
	Placeholder  string
	Min, Max     string
	Maxlength    int
	Rows         int
	Required     bool
	Readonly     bool
	Autofocus    bool
	Checked      bool
	Mono         bool
	Options      []option
}

// An option is one choice of a select.
type option struct {
	Value, Label string
	Selected     bool
}

// newField makes a control: {{template "field" field .Form "email" (t …) "Type" "email" "Required" true}}.
func newField(f *form, name, label string, pairs ...any) (*field, error) {
	c := &field{Name: name, ID: fieldID(name), Label: label, Type: "text", Rows: 4}
	if f != nil {
		c.Value, c.Error, c.Checked = f.Values.Get(name), f.byField[name], f.Checked(name)
	}
	set, err := named(pairs...)
	if err != nil {
		return nil, err
	}
	for name, value := range set {
		if err := c.set(name, value); err != nil {
			return nil, err
		}
	}
	if c.Type == "password" {
		c.Value = "" // a secret is never written into a page
	}
	for i := range c.Options {
		c.Options[i].Selected = c.Options[i].Value == c.Value
	}
	return c, nil
}
