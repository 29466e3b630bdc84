package mime

// An Error says what is wrong with a message, in words for the person who made it.
type Error struct {
	Code    string // stable, such as "no_from", "nul", "too_many_parts"
	Field   string // header field or draft field, when one is to blame
	Message Text   // safe to show: what is wrong and what to do
	Err     error
}

func (e *Error) Error() string { return e.Message.String() }
func (e *Error) Unwrap() error { return e.Err }

func newError(code, field string, message Text) *Error {
	return &Error{Code: code, Field: field, Message: message}
}

// inField puts the field's name before the message.
func (e *Error) inField(field string) *Error {
	if e.Field = field; field != "" {
		e.Message = NewText("mime.in_field", "{field}: {message}", "field", field, "message", e.Message)
	}
	return e
}

// because adds the cause.
func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

// unreadable is a failure of the Source, not of the message.
func unreadable(err error) *Error {
	return newError("unreadable", "", NewText("mime.unreadable",
		"The stored message could not be read: look at the disk or the database, then try again.")).because(err)
}

// shorten cuts s for use in a sentence.
func shorten(s string) string {
	r := []rune(sanitize(s))
	if len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return string(r)
}
