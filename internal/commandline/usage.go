package commandline

import (
	"regexp"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A usageRule recognises a sentence of the command line's parser, which knows English alone.
type usageRule struct {
	re   *regexp.Regexp
	text func(part []string) mime.Text
}

func usageRules() []usageRule {
	return []usageRule{
		{regexp.MustCompile(`^unknown flag (\S+), did you mean (?:one of )?(.+)\?$`), func(p []string) mime.Text {
			return text("usage.unknown_flag_near", "unknown flag {flag}, did you mean {near}?", "flag", p[1], "near", p[2])
		}},
		{regexp.MustCompile(`^unknown flag (\S+)$`), func(p []string) mime.Text {
			return text("usage.unknown_flag", "unknown flag {flag}", "flag", p[1])
		}},
		{regexp.MustCompile(`^unexpected argument (.+), did you mean (?:one of )?(.+)\?$`), func(p []string) mime.Text {
			return text("usage.unknown_word_near", "unexpected argument {word}, did you mean {near}?", "word", p[1], "near", p[2])
		}},
		{regexp.MustCompile(`^unexpected argument (.+)$`), func(p []string) mime.Text {
			return text("usage.unknown_word", "unexpected argument {word}", "word", p[1])
		}},
		{regexp.MustCompile(`^missing flags: (.+)$`), func(p []string) mime.Text {
			return text("usage.missing_flags", "missing flags: {flags}", "flags", p[1])
		}},
		{regexp.MustCompile(`^(?:missing positional arguments|expected) ((?:"?<[^>]+>"? ?)+)$`), func(p []string) mime.Text {
			return text("usage.missing_arguments", "missing arguments: {arguments}", "arguments", strings.ReplaceAll(p[1], `"`, ""))
		}},
		{regexp.MustCompile(`^expected (?:one of )?(".+")(?:, \.\.\.)?$`), func(p []string) mime.Text {
			return text("usage.missing_command", "a command is missing, one of {commands}", "commands", strings.ReplaceAll(p[1], `"`, ""))
		}},
		{regexp.MustCompile(`^(\S+) must be one of (.+) but got (".*")$`), func(p []string) mime.Text {
			return text("usage.not_one_of", "{flag} must be one of {values} but got {value}", "flag", p[1], "values",
				strings.ReplaceAll(p[2], `",`, `", `), "value", p[3])
		}},
		{regexp.MustCompile(`^(--\S+) and (--\S+) can't be used together$`), func(p []string) mime.Text {
			return text("usage.not_together", "{flag} and {other} can't be used together", "flag", p[1], "other", p[2])
		}},
		{regexp.MustCompile(`^(--\S+) and (--\S+) must be used together$`), func(p []string) mime.Text {
			return text("usage.only_together", "{flag} and {other} must be used together", "flag", p[1], "other", p[2])
		}},
		{regexp.MustCompile(`^(\S+): expected (?:u?int\d*|float\d*) value but got "(-\d[^"]*)".*$`), func(p []string) mime.Text {
			return text("usage.negative", "{flag} must be a number; one below zero is written {flag}={value}", "flag",
				strings.SplitN(p[1], "=", 2)[0], "value", p[2])
		}},
		{regexp.MustCompile(`^(\S+): (?:expected \S+ value but got |missing value).*$`), func(p []string) mime.Text {
			return text("usage.no_value", "{flag} has no value", "flag", strings.SplitN(p[1], "=", 2)[0])
		}},
		{regexp.MustCompile(`^(\S+): expected an? (?:valid \d+ bit )?(?:u?int|float) but got (".*?")(?: \(.*\))?$`), func(p []string) mime.Text {
			return text("usage.not_a_number", "{flag} must be a number but got {value}", "flag", strings.SplitN(p[1], "=", 2)[0], "value", p[2])
		}},
	}
}

// UsageError returns an error of kong's parser as one that is known in several languages.
func UsageError(err error) error {
	return texterr.New(text("usage.wrong", "{what} (see 'postino --help')", "what", usageText(err)))
}

func usageText(err error) mime.Text {
	s := err.Error()
	for _, r := range usageRules() {
		if p := r.re.FindStringSubmatch(s); p != nil {
			return r.text(p)
		}
	}
	return text("usage.other", "the command line is wrong: {error}", "error", texterr.Reason{Err: err})
}
