package adapters

import (
	"encoding/json"
	"time"
)

// plainError is an Error without its methods.
type plainError Error

// MarshalJSON writes the fields by their names, and RetryAfter in seconds.
func (e Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		*plainError
		RetryAfter float64 `json:"retry_after,omitempty"`
	}{(*plainError)(&e), e.RetryAfter.Seconds()})
}

// UnmarshalJSON also reads records of before 1.0, which had a sentence and a
// remedy, and nanoseconds.
func (e *Error) UnmarshalJSON(b []byte) error {
	var read struct {
		plainError
		RetryAfter float64       `json:"retry_after"`
		OldWait    time.Duration `json:"retry_after_ns"`
		OldMessage *Text         `json:"sentence"`
		OldHint    *Text         `json:"remedy"`
	}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*e = Error(read.plainError)
	e.RetryAfter = time.Duration(read.RetryAfter*float64(time.Second)) + read.OldWait
	if read.OldMessage != nil {
		e.Message = *read.OldMessage
	}
	if read.OldHint != nil {
		e.Hint = *read.OldHint
	}
	return nil
}
