package mime

// An Error says what is wrong with a message, in words for the person who made it.
type Error struct {
	Code   string // stable, such as "no_from", "nul", "too_many_parts"
	Field  string // header field or draft field, when one is to blame
	Text   string // a sentence in English, safe to show: what is wrong and what to do
	TextIT string // the same in Italian
	Err    error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }
