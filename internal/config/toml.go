package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/postino-mail/postino/mime"
)

// An unreadableError is why the TOML of a configuration cannot be read. Its English is
// that of the parser, which has no other language.
type unreadableError struct {
	err     error
	line    int    // 0: the parser does not say
	key     string // last one before the fault; may be empty
	problem mime.Text
}

func (e *unreadableError) Error() string { return e.err.Error() }
func (e *unreadableError) Unwrap() error { return e.err }

// In returns line, setting and problem in a language.
func (e *unreadableError) In(lang string) string {
	s := e.problem.In(lang)
	if e.key != "" {
		s = e.key + ": " + s
	}
	if e.line > 0 {
		s = mime.NewText("config.toml_line", "line {line}", "line", e.line).In(lang) + ": " + s
	}
	return s
}

// position is how the parser begins an error that is not a ParseError.
var position = regexp.MustCompile(`^toml: (?:line (\d+) )?\(last key "([^"]*)"\): (.*)$`)

// unreadable names what is wrong with the TOML of a configuration; an error of the
// file system stays as it is.
func unreadable(err error) error {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return &unreadableError{err, parse.Position.Line, parse.LastKey, problem(parse.Message)}
	}
	part := position.FindStringSubmatch(err.Error())
	if part == nil {
		return err
	}
	line, convErr := strconv.Atoi(part[1])
	if convErr != nil {
		line = 0 // the parser does not say
	}
	return &unreadableError{err, line, part[2], problem(part[3])}
}

// problem is what the parser says, as a text.
func problem(s string) mime.Text {
	if value, ok := strings.CutSuffix(s, notADuration("").String()); ok {
		return notADuration(value)
	}
	if value, ok := strings.CutSuffix(s, notASize("").String()); ok {
		return notASize(value)
	}
	switch {
	case strings.HasPrefix(s, "incompatible types"):
		return mime.NewText("config.toml_kind", "the value is of another kind than the setting takes")
	case strings.HasSuffix(s, "has already been defined."):
		return mime.NewText("config.toml_twice", "it is defined twice")
	case strings.Contains(s, "EOF"):
		return mime.NewText("config.toml_cut_short", "the file ends in the middle of it")
	case strings.Contains(s, "out of range"):
		return mime.NewText("config.toml_range", "the number is out of range")
	}
	return mime.NewText("config.toml_broken", "this is no valid TOML")
}

func notADuration(quoted string) mime.Text {
	return mime.NewText("config.not_a_duration", "{value} is not a duration: write 90s, 4h or 30d", "value", quoted)
}

func notASize(quoted string) mime.Text {
	return mime.NewText("config.not_a_size", "{value} is not a size: write 26214400 or 25MiB", "value", quoted)
}
