package adapters

import (
	"cmp"
	"encoding/json"
	"time"
)

// plainError is an Error without its methods.
type plainError Error

// MarshalJSON writes the fields by their names, and RetryAfter in seconds.
func (e Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		*plainError
		RetryAfter float64 `json:"retry_after_seconds,omitempty"`
	}{(*plainError)(&e), e.RetryAfter.Seconds()})
}

// UnmarshalJSON also reads records of before 1.0, which had a sentence and a
// remedy, nanoseconds, and in code what the provider called it.
func (e *Error) UnmarshalJSON(b []byte) error {
	var read struct {
		plainError
		RetryAfter float64       `json:"retry_after_seconds"`
		OldSeconds float64       `json:"retry_after"`
		OldWait    time.Duration `json:"retry_after_ns"`
		OldMessage *Text         `json:"sentence"`
		OldHint    *Text         `json:"remedy"`
	}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*e = Error(read.plainError)
	if e.ProviderCode == "" && !e.Code.own() {
		e.Code, e.ProviderCode = codeOfRecord(string(e.Code))
	}
	switch { // a stored record has both names for one release: the new ones count
	case read.RetryAfter != 0 || read.OldSeconds != 0:
		e.RetryAfter = time.Duration(cmp.Or(read.RetryAfter, read.OldSeconds) * float64(time.Second))
	default:
		e.RetryAfter = read.OldWait
	}
	if read.OldMessage != nil && e.Message.IsZero() {
		e.Message = *read.OldMessage
	}
	if read.OldHint != nil && e.Hint.IsZero() {
		e.Hint = *read.OldHint
	}
	return nil
}

// own reports a code that this module can have made: lower case and underscores.
func (c Code) own() bool {
	for i := range len(c) {
		if b := c[i]; b != '_' && (b < 'a' || b > 'z') && (i == 0 || b < '0' || b > '9') {
			return false
		}
	}
	return true
}

// codeOfRecord splits the one code of older records.
func codeOfRecord(code string) (Code, string) {
	if code == "DuplicateDelivery" {
		return CodeDuplicate, ""
	}
	return CodeRefused, code
}
