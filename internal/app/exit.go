package app

import (
	"errors"
	"io"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Exit codes as in sysexits.h, for send and sendmail.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 64 // wrong flags
	ExitData        = 65 // the message is wrong
	ExitNoInput     = 66 // a file cannot be read
	ExitUnavailable = 69 // refused for good
	ExitSoftware    = 70
	ExitCantCreate  = 73 // a file cannot be made
	ExitTempFail    = 75 // try again later
	ExitProtocol    = 76 // the outcome is unknown: do not repeat before looking
	ExitNoPerm      = 77 // the credential or its permission
	ExitConfig      = 78 // the connection is wrong
)

// An ExitError is an error with its exit code.
type ExitError struct {
	Code  int
	Err   error
	begun bool // data was printed before
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// exit adds an exit code to err; nil stays nil.
func exit(code int, err error) error {
	if err == nil {
		return nil
	}
	return &ExitError{Code: code, Err: err}
}

// wrong is an error with a text and its exit code.
func wrong(code int, t mime.Text) error { return exit(code, texterr.New(t)) }

// A Failure is a command's error as it is printed.
type Failure struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	exit    int
}

// FailureOf is err in lang where it is known in several languages.
func FailureOf(err error, lang string) Failure {
	f := Failure{exit: ExitCode(err)}
	var a *adapters.Error
	if errors.As(err, &a) {
		message := a.Message.In(lang)
		if c := a.ShownCode(); c != "" {
			message += " (" + c + ")"
		}
		f.Message, f.Hint = strings.Replace(err.Error(), a.Error(), message, 1), a.Hint.In(lang)
		return f
	}
	f.Message = texterr.In(err, lang)
	return f
}

// String is the failure as people read it.
func (f Failure) String() string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + ": " + f.Hint
}

// WriteJSON writes the failure with its exit code, on one line for JSONL.
func (f Failure) WriteJSON(w io.Writer, format Format) error {
	doc := struct {
		Error Failure `json:"error"`
		Exit  int     `json:"exit"`
	}{f, f.exit}
	if format == JSONL {
		return writeLine(w, doc)
	}
	return writeJSON(w, doc)
}

// ExitCode is the exit code of any error of this package.
func ExitCode(err error) int {
	var x *ExitError
	var a *adapters.Error
	var m *mime.Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &x):
		return x.Code
	case errors.As(err, &m):
		return ExitData
	case errors.As(err, &a):
		return exitOfClass(a.Class)
	}
	return ExitFailure
}

func exitOfClass(c adapters.Class) int {
	switch c {
	case adapters.Accepted:
		return ExitOK
	case adapters.Permanent:
		return ExitUnavailable
	case adapters.Auth:
		return ExitNoPerm
	case adapters.Unknown:
		return ExitProtocol
	}
	return ExitTempFail
}
