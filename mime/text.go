package mime

import (
	"encoding/json"

	"github.com/postino-mail/postino/internal/locale"
)

// A Text is a sentence for people, in every language of the catalogue. It is
// built with NewText or NewCount beside the rule that uses it. The zero Text
// is no sentence. A Text may be read by several goroutines at once.
type Text struct {
	Code    string // stable key of the catalogue, such as "smtp.login_refused"; empty: not of the catalogue
	English string // with placeholders: "{host} refused the login"
	Args    []any  // names and values of the placeholders in turn: "host", "mail.example"

	said map[string]string // as read from JSON: the sentence by language
}

// NewText returns the text of a code: its English with placeholders in braces,
// and their names and values in turn. A value may be a Text itself.
//
//	mime.NewText("smtp.certificate_expired", "the certificate of {host} ended on {date}", "host", host, "date", date)
func NewText(code, english string, args ...any) Text {
	return Text{Code: code, English: english, Args: args}
}

// NewCount returns a text that counts: one is its English for a count of 1,
// other for the rest. Both may use {count}; other languages choose their own
// plural forms by it.
func NewCount(code string, count int, one, other string, args ...any) Text {
	if count == 1 {
		other = one
	}
	return Text{Code: code, English: other, Args: append([]any{"count", count}, args...)}
}

// With returns the text with further arguments.
func (t Text) With(args ...any) Text {
	t.Args = append(t.Args[:len(t.Args):len(t.Args)], args...)
	return t
}

// IsZero reports that there is no sentence.
func (t Text) IsZero() bool {
	return t.Code == "" && t.English == "" && len(t.said) == 0
}

// String returns the sentence in English.
func (t Text) String() string {
	if t.English == "" && t.Code != "" {
		s, _ := locale.Text(locale.English, t.Code, t.Args)
		return s
	}
	return locale.Expand(t.English, locale.English, t.Args)
}

// In returns the sentence in the language of a tag ("it", "it-IT",
// "it_IT.UTF-8"), in English where the catalogue does not have it.
func (t Text) In(tag string) string {
	lang := locale.Match(tag)
	if s, ok := t.in(lang); ok {
		return s
	}
	return t.String()
}

// in returns the sentence in a language of the catalogue other than English.
func (t Text) in(lang string) (string, bool) {
	if lang == locale.English {
		return "", false
	}
	if s, ok := t.said[lang]; ok {
		return s, true
	}
	if t.Code == "" || t.said != nil { // read from JSON: its arguments are not known
		return "", false
	}
	return locale.Text(lang, t.Code, t.Args)
}

// MarshalJSON writes the code and the sentence in every language:
// {"code": "smtp.login_refused", "en": "…", "it": "…"}.
func (t Text) MarshalJSON() ([]byte, error) {
	fields := make(map[string]string, 3)
	if t.Code != "" {
		fields["code"] = t.Code
	}
	fields[locale.English] = t.String()
	for _, lang := range locale.Languages() {
		if s, ok := t.in(lang); ok {
			fields[lang] = s
		}
	}
	return json.Marshal(fields)
}

// UnmarshalJSON reads what MarshalJSON wrote. The sentences stay as they were
// written: the arguments are not kept.
func (t *Text) UnmarshalJSON(b []byte) error {
	var fields map[string]string
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	*t = Text{Code: fields["code"], English: fields[locale.English]}
	delete(fields, "code")
	delete(fields, locale.English)
	if len(fields) > 0 {
		t.said = fields
	}
	return nil
}
