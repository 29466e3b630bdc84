package differential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox"
)

// Aspects of a message that are compared.
const (
	recipients = "recipients"
	people     = "people" // those that the header shows
	subject    = "subject"
	bodies     = "texts"
	files      = "files"
)

// A difference is something that the independent parser sees otherwise in what
// arrived than in what was handed over.
type difference struct{ aspect, text string }

// compare gives the differences of one delivery.
func compare(s *submission, in seen, d sandbox.Delivery, out seen) (diffs []difference) {
	add := func(aspect, format string, args ...any) {
		diffs = append(diffs, difference{aspect, fmt.Sprintf(format, args...)})
	}
	want := s.envelope
	if fromHeader(s.entry) {
		want = slices.Concat(in.To, in.Cc, in.Bcc)
		if len(in.Resent) > 0 { // who resends mails the new recipients alone (RFC 5322 section 3.6.6)
			want = in.Resent
		}
	}
	if got, want := set(d.Recipients), set(want); !slices.Equal(got, want) {
		add(recipients, "mailed are %q, want %q", got, want)
	}
	shown := slices.Concat(out.To, out.Cc, out.Bcc)
	if d.Service == "smtp" {
		if len(out.Bcc) > 0 {
			add(recipients, "Bcc %q went out", out.Bcc)
		}
	} else if !slices.Equal(set(shown), set(d.Recipients)) {
		add(recipients, "the parser would mail %q, the provider mails %q", set(shown), set(d.Recipients))
	}
	for _, f := range []struct {
		name    string
		in, out []string
	}{{"From", in.From, out.From}, {"Sender", in.Sender, out.Sender}, {"Reply-To", in.ReplyTo, out.ReplyTo}, {"To", in.To, out.To},
		{"Cc", in.Cc, out.Cc}} {
		left := f.in
		if d.Service != "smtp" && (f.name == "To" || f.name == "Cc") { // no one is shown as an addressee who is not mailed (contracts F1)
			left = slices.DeleteFunc(slices.Clone(f.in), func(a string) bool { return !slices.Contains(set(d.Recipients), strings.ToLower(a)) })
		}
		if !slices.Equal(set(left), set(f.out)) {
			add(people, "%s is %q, want %q", f.name, f.out, left)
		}
	}
	if in.Subject != out.Subject {
		add(subject, "%q, want %q", out.Subject, in.Subject)
	}
	if !slices.Equal(in.Texts, out.Texts) {
		add(bodies, "%s, want %s", short(out.Texts), short(in.Texts))
	}
	if len(in.Files) != len(out.Files) {
		add(files, "%d, want %d: %s, want %s", len(out.Files), len(in.Files), short(fileNames(out.Files)), short(fileNames(in.Files)))
		return diffs
	}
	for i, f := range in.Files {
		g := out.Files[i]
		if f.Name != g.Name || f.Type != g.Type || f.SHA256 != g.SHA256 || f.Base64 && f.Exact != g.Exact {
			add(files, "%+v, want %+v", g, f)
		}
	}
	return diffs
}

// set is a list as a set of mailboxes: providers do not tell letter case apart.
func set(list []string) []string {
	out := make([]string, 0, len(list))
	for _, a := range list {
		out = append(out, strings.ToLower(a))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// invented are the addresses in a delivery that the input does not hold: whom it
// is mailed to must be among those that the generator put there; what the header
// shows may also be what the parser reads in the input, since SMTP passes a
// field that is no list of addresses as it is.
func invented(d sandbox.Delivery, in, out seen, holds []string) (list []string) {
	shown := func(s seen) []string { return slices.Concat(s.From, s.Sender, s.ReplyTo, s.To, s.Cc, s.Bcc) }
	mailed, stands := set(holds), set(slices.Concat(holds, shown(in)))
	for _, a := range set(d.Recipients) {
		if !slices.Contains(mailed, a) {
			list = append(list, a)
		}
	}
	for _, a := range set(shown(out)) {
		if !slices.Contains(stands, a) {
			list = append(list, a)
		}
	}
	return list
}

func short(v any) string { return fmt.Sprintf("%.500s", fmt.Sprintf("%q", v)) }

func fileNames(list []file) (out []string) {
	for _, f := range list {
		out = append(out, f.Name+" "+f.Type)
	}
	return out
}
