// Package prompt asks questions on a terminal: a line, a choice, yes or no, and a
// secret that is not echoed. A question ends with its context, and the terminal
// is as it was before then.
package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/postino-mail/postino/internal/terminal"
)

// ErrNoTerminal says that there is no one to ask.
var ErrNoTerminal = errors.New("standard input is no terminal")

// maxLine bounds an answer: a key that is pasted has some thousand characters.
const maxLine = 64 << 10

// A Prompt asks on a terminal. Not for concurrent use.
type Prompt struct {
	in  io.Reader
	out io.Writer
	fd  int // of in
}

// New returns a Prompt on standard input, ErrNoTerminal where in is no terminal.
func New(in io.Reader, out io.Writer) (*Prompt, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, ErrNoTerminal
	}
	return &Prompt{in: f, out: out, fd: int(f.Fd())}, nil
}

// Out is where questions are written.
func (p *Prompt) Out() io.Writer { return p.out }

// Line asks for one line; empty takes the proposal, which is shown. io.EOF: the
// input has ended.
func (p *Prompt) Line(ctx context.Context, question, proposal string) (string, error) {
	if proposal != "" {
		question += " [" + terminal.Line(proposal) + "]"
	}
	if _, err := fmt.Fprint(p.out, question, ": "); err != nil {
		return "", err
	}
	line, err := p.read(ctx, func() (string, error) { return readLine(p.in) })
	if err != nil {
		return "", p.ended(err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return proposal, nil
	}
	return line, nil
}

// Secret asks for one line without showing it. The terminal stops echoing before the
// question stands there: who pastes at once would see the beginning otherwise.
func (p *Prompt) Secret(ctx context.Context, question string) (secret string, err error) {
	before, err := term.GetState(p.fd)
	if err == nil {
		err = echoOff(p.fd)
	}
	if err != nil {
		return "", err
	}
	defer func() {
		if rerr := term.Restore(p.fd, before); rerr != nil && err == nil {
			secret, err = "", rerr
		}
	}()
	if _, err := fmt.Fprint(p.out, question, ": "); err != nil {
		return "", err
	}
	if secret, err = p.read(ctx, func() (string, error) { return readLine(p.in) }); err != nil {
		return "", p.ended(err)
	}
	_, err = fmt.Fprintln(p.out) // the line end was not shown either
	return strings.TrimSpace(secret), err
}

// An Option is one of several answers.
type Option struct{ Value, Text string }

// Choose asks for one of several answers, by number or value; empty takes the
// first. again is said after an answer that is none of them.
func (p *Prompt) Choose(ctx context.Context, question, again string, options ...Option) (string, error) {
	for {
		for i, o := range options {
			if _, err := fmt.Fprintf(p.out, "  %d  %s\n", i+1, o.Text); err != nil {
				return "", err
			}
		}
		answer, err := p.Line(ctx, question, "1")
		if err != nil {
			return "", err
		}
		for i, o := range options {
			if answer == fmt.Sprint(i+1) || strings.EqualFold(answer, o.Value) {
				return o.Value, nil
			}
		}
		if _, err := fmt.Fprintln(p.out, again); err != nil {
			return "", err
		}
	}
}

// Confirm asks a question: its answer begins with yes or with anything else, in
// the reader's language; empty is no.
func (p *Prompt) Confirm(ctx context.Context, question, yes, no string) (bool, error) {
	answer, err := p.Line(ctx, question+" ("+yes+"/"+no+")", no)
	if err != nil || answer == "" {
		return false, err
	}
	return strings.HasPrefix(strings.ToLower(yes), strings.ToLower(answer)), nil
}

// ended puts the cursor on a line of its own.
func (p *Prompt) ended(err error) error {
	_, werr := fmt.Fprintln(p.out)
	return errors.Join(err, werr)
}

// read runs f beside ctx. A read that is not over when ctx ends goes on until the
// process ends: a terminal cannot be left.
func (p *Prompt) read(ctx context.Context, f func() (string, error)) (string, error) {
	type answer struct {
		line string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		line, err := f()
		done <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-done:
		return a.line, a.err
	}
}

// readLine reads up to a line end and not a byte more: what follows may be the
// answer to a question that does not show it.
func readLine(r io.Reader) (string, error) {
	var line []byte
	var b [1]byte
	for len(line) < maxLine {
		n, err := r.Read(b[:])
		if n == 1 {
			if b[0] == '\n' {
				return strings.TrimSuffix(string(line), "\r"), nil
			}
			line = append(line, b[0])
			continue
		}
		if errors.Is(err, io.EOF) && len(line) > 0 {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the answer is longer than %d bytes", maxLine)
}
