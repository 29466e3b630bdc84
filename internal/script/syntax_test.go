package script

import (
	"errors"
	"fmt"
	"strings"
)

// powerShellCode returns a script without its strings and comments, after the
// rules of about_Quoting_Rules and about_Comments; what stands in $() of a
// string is code. The error is that of a string or bracket that does not end.
func powerShellCode(script string) (string, error) {
	p := &powerShellParser{rest: []rune(script)}
	err := p.code(0)
	return p.out.String(), err
}

type powerShellParser struct {
	rest []rune
	out  strings.Builder
}

func (p *powerShellParser) has(prefix string) bool {
	r := []rune(prefix)
	return len(p.rest) >= len(r) && string(p.rest[:len(r)]) == prefix
}

// code reads up to the bracket that ends it; 0: to the end.
func (p *powerShellParser) code(end rune) error {
	for len(p.rest) > 0 {
		r := p.rest[0]
		var err error
		switch {
		case r == end:
			p.rest = p.rest[1:]
			return nil
		case p.has("@'\n"):
			err = p.until("\n'@", 3)
		case p.has("<#"):
			err = p.until("#>", 2)
		case r == '#':
			for len(p.rest) > 0 && !strings.ContainsRune("\r\n", p.rest[0]) {
				p.rest = p.rest[1:]
			}
		case single(r):
			err = p.verbatim()
		case double(r):
			err = p.expandable()
		case r == '`' && len(p.rest) > 1:
			p.rest = p.rest[2:]
		case strings.ContainsRune("({[", r):
			p.out.WriteRune(r)
			p.rest = p.rest[1:]
			closing := map[rune]rune{'(': ')', '{': '}', '[': ']'}[r]
			if err = p.code(closing); err == nil {
				p.out.WriteRune(closing)
			}
		case strings.ContainsRune(")}]", r):
			return fmt.Errorf("a %c without its beginning near %.40q", r, string(p.rest))
		default:
			p.out.WriteRune(r)
			p.rest = p.rest[1:]
		}
		if err != nil {
			return err
		}
	}
	if end != 0 {
		return fmt.Errorf("no %c", end)
	}
	return nil
}

func (p *powerShellParser) until(end string, skip int) error {
	i := strings.Index(string(p.rest[skip-1:]), end)
	if i < 0 {
		return fmt.Errorf("no %q", end)
	}
	n := len([]rune(string(p.rest[skip-1:])[:i]))
	p.rest = p.rest[skip-1+n+len([]rune(end)):]
	return nil
}

func single(r rune) bool { return strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) }

func double(r rune) bool { return strings.ContainsRune("\"\u201c\u201d\u201e", r) }

func (p *powerShellParser) verbatim() error {
	for p.rest = p.rest[1:]; len(p.rest) > 0; p.rest = p.rest[1:] {
		if !single(p.rest[0]) {
			continue
		}
		if p.rest = p.rest[1:]; len(p.rest) == 0 || !single(p.rest[0]) {
			return nil
		}
	}
	return errors.New("a verbatim string without an end")
}

func (p *powerShellParser) expandable() error {
	p.rest = p.rest[1:]
	for len(p.rest) > 0 {
		switch {
		case p.rest[0] == '`' && len(p.rest) > 1:
			p.rest = p.rest[2:]
		case p.has("$("):
			p.rest = p.rest[2:]
			if err := p.code(')'); err != nil {
				return err
			}
			p.out.WriteByte(' ')
		case double(p.rest[0]):
			if p.rest = p.rest[1:]; len(p.rest) == 0 || !double(p.rest[0]) {
				return nil
			}
			p.rest = p.rest[1:]
		default:
			p.rest = p.rest[1:]
		}
	}
	return errors.New("an expandable string without an end")
}
