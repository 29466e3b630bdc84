package sendmail

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Mode is what the program is asked to do.
type Mode string

// The modes.
const (
	Deliver Mode = "m" // a message on standard input
	Session Mode = "s" // an SMTP session on standard input and output
	List    Mode = "p" // show the queue
	Nothing Mode = "i" // rebuild aliases, run the queue: there is nothing to do
)

// Args are the arguments, understood.
type Args struct {
	Mode       Mode
	FromHeader bool          // -t: recipients are in the header
	IgnoreDots bool          // -i: a line with a dot alone does not end the message
	From       string        // -f, -r: envelope sender; empty: the header's
	NullSender bool          // -f "" and -f <>: there is none, and failures are told to no one (RFC 5321 section 4.5.5)
	Name       string        // -F: full name of a From that must be made
	Notify     []mime.Notify // -N (RFC 3461)
	Ret        mime.Ret      // -R
	EnvID      string        // -V
	Recipients []string
	queueRun   bool // -q: send what is queued; the server does so by itself
}

// withValue are the options that take a value, in the same word or the next.
// Those that mean nothing here are read and left alone.
const withValue = "fFrNRVXLhOopBCDMQAbe"

// optional are options with a value that, if any, stands in the same word.
const optional = "qd"

// Parse reads the arguments as sendmail(1) has them.
func Parse(args []string) (Args, error) {
	a, err := parse(args)
	if err == nil && a.queueRun && a.Mode == Deliver && !a.FromHeader && len(a.Recipients) == 0 {
		a.Mode = Nothing
	}
	a.queueRun = false
	return a, err
}

func parse(args []string) (Args, error) {
	a := Args{Mode: Deliver}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			a.Recipients = append(a.Recipients, args...)
			return a, nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			a.Recipients = append(a.Recipients, arg)
			continue
		}
		for rest := arg[1:]; rest != ""; {
			c := rest[0]
			rest = rest[1:]
			value := ""
			switch {
			case strings.IndexByte(optional, c) >= 0:
				value, rest = rest, ""
			case strings.IndexByte(withValue, c) >= 0:
				if rest == "" {
					if len(args) == 0 {
						return a, texterr.New(mime.NewText("sendmail.needs_value", "-{option} needs a value", "option", fmt.Sprintf("%c", c)))
					}
					rest, args = args[0], args[1:]
				}
				value, rest = rest, ""
			}
			if err := a.set(c, value); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

func (a *Args) set(c byte, value string) error {
	switch c {
	case 't':
		a.FromHeader = true
	case 'i':
		a.IgnoreDots = true
	case 'o':
		if value == "i" || strings.HasPrefix(value, "i ") {
			a.IgnoreDots = true
		}
	case 'f', 'r':
		a.From = strings.TrimSpace(value)
		if a.NullSender = a.From == "" || a.From == "<>"; a.NullSender {
			a.From = ""
		}
	case 'F':
		a.Name = value
	case 'N':
		return a.notify(value)
	case 'R':
		if a.Ret = mime.Ret(strings.ToUpper(value)); a.Ret == "" || !a.Ret.Valid() {
			return texterr.New(mime.NewText("sendmail.bad_r", "-R {value} is none of full, hdrs", "value", strconv.Quote(value)))
		}
	case 'V':
		a.EnvID = value
	case 'b':
		switch m := Mode(value); m {
		case Deliver, Session, List, Nothing:
			a.Mode = m
		default:
			return texterr.New(mime.NewText("sendmail.bad_mode", "-b{mode} is not supported: -bm, -bs, -bp and -bi are", "mode", value))
		}
	case 'q':
		a.queueRun = true
	case 'I':
		a.Mode = Nothing // newaliases
	case 'v', 'n', 'm', 'U', 'G', 'X', 'L', 'h', 'O', 'p', 'B', 'C', 'D', 'd', 'M', 'Q', 'A', 'c', 's', 'e', 'x', 'J':
		// Meaningful to other mailers alone; programs pass them all the same.
	default:
		return texterr.New(mime.NewText("sendmail.unknown_option", "unknown option -{option}", "option", fmt.Sprintf("%c", c)))
	}
	return nil
}

func (a *Args) notify(value string) error {
	a.Notify = nil
	for word := range strings.SplitSeq(strings.ToUpper(value), ",") {
		if !mime.ValidNotify([]mime.Notify{mime.Notify(word)}) {
			return texterr.New(mime.NewText("sendmail.bad_n", "-N {value} is none of never, success, failure, delay", "value",
				strconv.Quote(value)))
		}
		a.Notify = append(a.Notify, mime.Notify(word))
	}
	if !mime.ValidNotify(a.Notify) {
		return texterr.New(mime.NewText("sendmail.never_alone", "-N never cannot be combined with other values (RFC 3461 section 4.1)"))
	}
	return nil
}
