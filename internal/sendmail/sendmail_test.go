package sendmail

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want Args
		bad  bool
	}{
		{line: "-t -i", want: Args{Mode: Deliver, FromHeader: true, IgnoreDots: true}},
		{line: "-ti", want: Args{Mode: Deliver, FromHeader: true, IgnoreDots: true}},
		{line: "-oi -fwww@x.it a@x.it", want: Args{Mode: Deliver, IgnoreDots: true, From: "www@x.it", Recipients: []string{"a@x.it"}}},
		{line: "-f www@x.it -F Nome -- -a@x.it", want: Args{Mode: Deliver, From: "www@x.it", Name: "Nome", Recipients: []string{"-a@x.it"}}},
		{line: "-FCronDaemon -i -odi -oem -oi -t -f root", want: Args{Mode: Deliver, FromHeader: true, IgnoreDots: true, From: "root",
			Name: "CronDaemon"}},
		{line: "-bs", want: Args{Mode: Session}},
		{line: "-bm -N success,failure -R hdrs -V id1 a@x.it",
			want: Args{Mode: Deliver, Notify: []mime.Notify{"SUCCESS", "FAILURE"}, Ret: "HDRS", EnvID: "id1",
				Recipients: []string{"a@x.it"}}},
		{line: "-O DeliveryMode=b -q30m -v -G a@x.it", want: Args{Mode: Deliver, Recipients: []string{"a@x.it"}}},
		{line: "-f <> a@x.it", want: Args{Mode: Deliver, NullSender: true, Recipients: []string{"a@x.it"}}},
		{line: "-q", want: Args{Mode: Nothing}},
		{line: "-q30m", want: Args{Mode: Nothing}},
		{line: "-qRexample.com -v", want: Args{Mode: Nothing}},
		{line: "-bp -q", want: Args{Mode: List}},
		{line: "-q -t", want: Args{Mode: Deliver, FromHeader: true}},
		{line: "-ep a@x.it", want: Args{Mode: Deliver, Recipients: []string{"a@x.it"}}},
		{line: "-ew -e m -o i -b m -c -A c a@x.it", want: Args{Mode: Deliver, IgnoreDots: true, Recipients: []string{"a@x.it"}}},
		{line: "-b s", want: Args{Mode: Session}},
		{line: "-b", bad: true},
		{line: "-e", bad: true},
		{line: "-I", want: Args{Mode: Nothing}},
		{line: "-bi", want: Args{Mode: Nothing}},
		{line: "-N never,delay a@x.it", bad: true},
		{line: "-N maybe", bad: true},
		{line: "-R some", bad: true},
		{line: "-bd", bad: true},
		{line: "-Z", bad: true},
		{line: "-f", bad: true},
	} {
		got, err := Parse(strings.Fields(c.line))
		if (err != nil) != c.bad {
			t.Errorf("%s: error %v", c.line, err)
		}
		if !c.bad && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.line, got, c.want)
		}
	}
}

// server notes what it is sent and answers err.
type server struct {
	adapters.Adapter
	err error
	env mime.Envelope
	raw string
}

func (s *server) Send(_ context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	b, err := io.ReadAll(mime.NewReader(out.Message.ForSMTP()))
	s.env, s.raw = out.Envelope, string(b)
	var r adapters.Receipt
	for _, rcpt := range out.Envelope.Recipients {
		result := adapters.RecipientResult{Address: rcpt.Address}
		switch local, _, _ := strings.Cut(rcpt.Address.String(), "@"); local {
		case "later":
			result.Err = &adapters.Error{Class: adapters.Transient}
		case "unknown":
			result.Err = &adapters.Error{Class: adapters.Permanent, Code: "recipient_unknown", Message: mime.NewText("test.a", "no such mailbox")}
		case "unsure":
			result.Err = &adapters.Error{Class: adapters.Unknown, Message: mime.NewText("test.b", "no answer")}
		}
		r.Recipients = append(r.Recipients, result)
	}
	return r, errors.Join(err, s.err)
}

func TestRun(t *testing.T) {
	t.Parallel()
	down := &adapters.Error{Class: adapters.Transient}
	refused := &adapters.Error{Class: adapters.Permanent}
	for _, c := range []struct {
		name, args, in string
		err            error
		from, to       string
		has, hasNot    string
		dropped        bool
		fails          bool
	}{
		{name: "PHP mail()", args: "-t -i", in: "To: a@x.it\nSubject: ciao\nFrom: web@x.it\nBcc: b@x.it\n\nciao\n", from: "web@x.it",
			to: "a@x.it b@x.it", has: "Subject: ciao\r\n", hasNot: "Bcc"},
		{name: "cron leaves the From out", args: "-FCronDaemon -i -f root root", in: "Subject: Cron\nTo: root\n\nout\n", from: "root@host.it",
			to: "root@host.it", has: "From: CronDaemon <root@host.it>\r\n"},
		{name: "cron as it is", args: "-FCronDaemon -i -odi -oem -oi -t",
			in: "From: root (Cron Daemon)\nTo: root, backup\nSubject: Cron <root@h> job\n\nout\n", from: "root@host.it",
			to: "root@host.it backup@host.it", has: "From: Cron Daemon <root@host.it>\r\n"},
		{name: "cronie", args: "-FCronDaemon -i -odi -oem -oi -t", in: "From: \"(Cron Daemon)\" <root>\nTo: anna@x.it\nSubject: q\n\nx\n",
			from: "root@host.it", to: "anna@x.it", has: "From: \"(Cron Daemon)\" <root@host.it>\r\n"},
		{name: "anacron", args: "-FAnacron -odi anna@x.it", in: "From: Anacron <root>\nTo: anna@x.it\nSubject: q\n\nx\n", from: "root@host.it",
			to: "anna@x.it", has: "From: Anacron <root@host.it>\r\n"},
		{name: "local and full", args: "-t", in: "From: e@x.it\nTo: root, anna@x.it\n\nx\n", from: "e@x.it", to: "root@host.it anna@x.it"},
		{name: "local in brackets, folded", args: "-t", in: "From: e@x.it\nTo: <root>,\n\tadmin\n\nx\n", from: "e@x.it",
			to: "root@host.it admin@host.it"},
		{name: "folded From", args: "-t", in: "From: Fatturazione\n <erp@x.it>\nTo: Anna\n <anna@x.it>\n\nx\n", from: "erp@x.it", to: "anna@x.it",
			has: "From: Fatturazione\r\n <erp@x.it>\r\n"},
		{name: "a name alone is no one", args: "-t", in: "From: e@x.it\nTo: Anna Rossi\n\nx\n", fails: true},
		{name: "sent again", args: "-t", in: "From: e@x.it\nTo: original@x.it\nResent-From: s@x.it\nResent-To: new@x.it\nResent-Bcc: " +
			"hidden@x.it\n\nx\n", from: "s@x.it", to: "new@x.it hidden@x.it", hasNot: "hidden"},
		{name: "null sender", args: "-t -f <>", in: "From: e@x.it\nTo: a@x.it\n\nx\n", to: "a@x.it"},
		{name: "lists as arguments", args: "-f e@x.it a@x.it,b@x.it <c@x.it> root", in: "Subject: s\n\nx\n", from: "e@x.it",
			to: "a@x.it b@x.it c@x.it root@host.it"},
		{name: "-f with brackets", args: "-f <e@x.it> a@x.it", in: "Subject: s\n\nx\n", from: "e@x.it", to: "a@x.it"},
		{name: "-f is no address", args: "-f e@x.it,f@x.it a@x.it", in: "Subject: s\n\nx\n", fails: true},
		{name: "a dot in the header", args: "-f e@x.it a@x.it", in: "Subject: dot\nhello\n.\nNOT PART\n", from: "e@x.it", to: "a@x.it",
			has: "\r\n\r\nhello\r\n", hasNot: "NOT"},
		{name: "a dot at once", args: "-f e@x.it a@x.it", in: ".\nNOT PART\n", from: "e@x.it", to: "a@x.it", hasNot: "NOT"},
		{name: "byte order mark", args: "-t", in: "\xEF\xBB\xBFFrom: e@x.it\nTo: a@x.it\n\nx\n", from: "e@x.it", to: "a@x.it",
			has: "From: e@x.it\r\n"},
		{name: "a group is no name", args: "-t b@x.it", in: "From: a@x.it\nTo: undisclosed-recipients:;\n\nciao\n", from: "a@x.it", to: "b@x.it",
			has: "To: undisclosed-recipients:;"},
		{name: "no header at all", args: "-f me@x.it a@x.it", in: "just text\n", from: "me@x.it", to: "a@x.it", has: "\r\n\r\njust text\r\n"},
		{name: "a dot ends it", args: "-f me@x.it a@x.it", in: "Subject: s\n\none\n.\ntwo\n", from: "me@x.it", to: "a@x.it", has: "one",
			hasNot: "two"},
		{name: "-i: a dot does not", args: "-i -f me@x.it a@x.it", in: "Subject: s\n\none\n.\ntwo\n", from: "me@x.it", to: "a@x.it", has: "two"},
		{name: "server down: left in the maildrop", args: "-t", in: "From: me@x.it\nTo: a@x.it\n\nciao\n", err: down, from: "me@x.it",
			to: "a@x.it", dropped: true},
		{name: "refused for good is told", args: "-t", in: "From: me@x.it\nTo: a@x.it\n\nciao\n", err: refused, from: "me@x.it", to: "a@x.it",
			fails: true},
		{name: "no recipient", args: "-t", in: "From: me@x.it\n\nciao\n", fails: true},
		{name: "a bad message", args: "a@x.it", in: "From: me@x.it\n\nnul \x00\n", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := Parse(strings.Fields(c.args))
			if err != nil {
				t.Fatal(err)
			}
			s, drop := &server{err: c.err}, t.TempDir()
			err = Run(t.Context(), a, Options{Server: s, Drop: drop, Host: "host.it", Local: func() string { return "host.it" },
				Stdin: strings.NewReader(c.in), Stdout: io.Discard})
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %v", err, c.fails)
			}
			var to []string
			for _, r := range s.env.Recipients {
				to = append(to, r.Address.String())
			}
			if s.env.From.String() != c.from || strings.Join(to, " ") != c.to {
				t.Errorf("envelope %s -> %v", s.env.From, to)
			}
			if !strings.Contains(s.raw, c.has) || c.hasNot != "" && strings.Contains(s.raw, c.hasNot) {
				t.Errorf("message:\n%s", s.raw)
			}
			files, err := filepath.Glob(filepath.Join(drop, "*"))
			if err != nil || (len(files) == 1) != c.dropped {
				t.Fatalf("dropped: %v, %v", files, err)
			}
			if c.dropped {
				f, err := os.Open(files[0])
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				env, r, err := maildrop.Read(f)
				if err != nil || env.From.String() != c.from || len(env.Recipients) != 1 {
					t.Fatalf("%+v, %v", env, err)
				}
				if b, err := io.ReadAll(r); err != nil || string(b) != s.raw {
					t.Errorf("the dropped message differs, %v", err)
				}
			}
		})
	}
}

// A server that takes the message for some recipients only: the others are left in
// the maildrop, or the program hears of them.
func TestSomeRecipients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to, dropped, told string
		also              string // is told too
		noDrop            bool
	}{
		{to: "a@x.it later@x.it b@x.it later@y.it", dropped: "later@x.it later@y.it"},
		{to: "a@x.it unknown@x.it", told: "sent, but not to unknown@x.it: no such mailbox"},
		{to: "a@x.it unknown@x.it later@x.it unsure@x.it", dropped: "later@x.it", told: "sent, but not to unknown@x.it: no such mailbox",
			also: "it is not known whether it was taken for unsure@x.it: no answer"},
		{to: "a@x.it unknown@x.it unknown@y.it", told: "sent, but not to unknown@x.it, unknown@y.it: no such mailbox"},
		{to: "a@x.it later@x.it", noDrop: true, told: "sent, but not to later@x.it: "},
		{to: "a@x.it b@x.it"},
	} {
		drop := t.TempDir()
		o := Options{Server: &server{}, Drop: drop, Host: "host.it", Stdin: strings.NewReader("From: me@x.it\n\nx\n"), Stdout: io.Discard}
		if c.noDrop {
			o.Drop = ""
		}
		err := Run(t.Context(), Args{Mode: Deliver, Recipients: strings.Fields(c.to)}, o)
		if (err != nil) != (c.told != "") || err != nil && (!strings.Contains(err.Error(), c.told) || !strings.Contains(err.Error(), c.also)) {
			t.Errorf("%s: %v", c.to, err)
		}
		if e := adapters.AsError(err); err != nil && e.Class == "" {
			t.Errorf("%s: %v has no class", c.to, err)
		}
		files, err := filepath.Glob(filepath.Join(drop, "*"))
		if err != nil || len(files) != min(1, len(c.dropped)) {
			t.Fatalf("%s: %v, %v", c.to, files, err)
		}
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			env, _, err := maildrop.Read(f)
			var got []string
			for _, r := range env.Recipients {
				got = append(got, r.Address.String())
			}
			if err != nil || strings.Join(got, " ") != c.dropped {
				t.Errorf("%s: %v, %v", c.to, got, err)
			}
		}
	}
}

// Where the maildrop does not take them either, the program hears of each.
func TestSomeRecipientsNotLeft(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), Args{Mode: Deliver, Recipients: strings.Fields("a@x.it later@x.it later@y.it")},
		Options{Server: &server{}, Drop: filepath.Join(t.TempDir(), "none"), Host: "host.it", Stdin: strings.NewReader("From: me@x.it\n\nx\n"),
			Stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "sent, but not to later@x.it, later@y.it: ") ||
		!strings.Contains(err.Error(), "does not exist") || adapters.AsError(err).Class != adapters.Transient {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-t -i -f a@x.it b@x.it")
	f.Add("-N success,delay -bs")
	f.Fuzz(func(t *testing.T, line string) {
		a, err := Parse(strings.Fields(line))
		if err == nil && a.Mode == "" {
			t.Error("no mode")
		}
	})
}

// What is wrong with the arguments is said in the reader's language.
func TestUsageTexts(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-t":                      "nessun destinatario",
		"-f e@x.it,f@x.it a@x.it": `"e@x.it,f@x.it" non è un solo indirizzo`,
	} {
		a, err := Parse(strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		err = Run(t.Context(), a, Options{Server: &server{}, Local: func() string { return "host.it" },
			Stdin: strings.NewReader("From: me@x.it\n\nx\n")})
		if !errors.Is(err, ErrUsage) || !strings.Contains(texterr.In(err, "it"), want) {
			t.Errorf("%s: %q", args, texterr.In(err, "it"))
		}
	}
}
