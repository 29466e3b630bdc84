package mime

import (
	"strings"
	"testing"
)

func home() string { return "host.it" }

// What programs write to the sendmail command of a machine (cron, anacron,
// administrators' tools) is given the machine's name; nothing else is touched.
func TestLocalNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"From: root", "From: root@host.it"},
		{"From: <root>", "From: root@host.it"},
		{`From: "(Cron Daemon)" <root>`, `From: "(Cron Daemon)" <root@host.it>`},
		{"From: Anacron <root>", "From: Anacron <root@host.it>"},
		{"From: root (Cron Daemon)", "From: Cron Daemon <root@host.it>"},
		{"From: Fatturazione\r\n <erp@contoso.it>", "From: Fatturazione\r\n <erp@contoso.it>"},
		{"From: Fatturazione\r\n <erp>", "From: Fatturazione <erp@host.it>"},
		{"To: root, anna@example.com", "To: root@host.it, anna@example.com"},
		{"Cc: root,\r\n\tadmin", "Cc: root@host.it, admin@host.it"},
		{"Bcc: \"a b\"", "Bcc: \"a b\"@host.it"},
		{"Reply-To: team: root, x@y.it;", "Reply-To: team: root@host.it, x@y.it;"},
		{"Resent-To: root", "Resent-To: root@host.it"},
		{"To: undisclosed-recipients:;", "To: undisclosed-recipients:;"},
		{"To: Anna Rossi", "To: Anna Rossi"}, // a name alone is no one's address
		{"To: =?utf-8?Q?Anna?=", "To: =?utf-8?Q?Anna?="},
		{"To: Jürgen", "To: Jürgen"},
		{"To: root, Anna Rossi", "To: root, Anna Rossi"}, // refused by who needs them
		{"Subject: root", "Subject: root"},
	} {
		raw := c.in + "\r\n"
		if !strings.HasPrefix(raw, "From") {
			raw = "From: a@b.it\r\n" + raw
		}
		m, err := Accept(Bytes([]byte(raw+"\r\nx\r\n")), AcceptOptions{LocalDomain: home})
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if !strings.Contains(string(m.Head()), c.want+"\r\n") {
			t.Errorf("%q:\n%s\nwant %s", c.in, m.Head(), c.want)
		}
	}
	m, err := Accept(Bytes([]byte("From: root\r\nTo: root, anna@example.com\r\n\r\nx\r\n")), AcceptOptions{LocalDomain: home})
	if err != nil || strings.Join(addrSpecs(m.Recipients()), " ") != "root@host.it anna@example.com" ||
		m.From()[0].Address.String() != "root@host.it" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := Accept(Bytes([]byte("From: root\r\n\r\nx\r\n")), AcceptOptions{}); err == nil {
		t.Error("a name without a domain passed where no domain is given")
	}
}

func TestDefaultFrom(t *testing.T) {
	t.Parallel()
	opt := AcceptOptions{DefaultFrom: func() (Address, error) {
		return Address{Name: "Cron \"x\"\r\nBcc: y", Address: mailbox("root@host.it")}, nil
	}}
	for head, want := range map[string]string{
		"To: a@x.it\r\n":                         "From: \"Cron \\\"x\\\"",
		"From:\r\nTo: a@x.it\r\n":                "From: \"Cron \\\"x\\\"",
		"X-Note: x\r\n From: no@field.it\r\n":    "From: \"Cron \\\"x\\\"",
		"From: erp@contoso.it\r\nTo: a@x.it\r\n": "From: erp@contoso.it\r\n",
	} {
		m, err := Accept(Bytes([]byte(head+"\r\nx\r\n")), opt)
		if err != nil || !strings.HasPrefix(string(m.Head()), want) || len(m.From()) != 1 || strings.Contains(string(m.Head()), "\nBcc") {
			t.Errorf("%q: %v\n%s", head, err, m.Head())
		}
	}
}

func TestReadAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@x.it":                     "a@x.it",
		"a@x.it,b@x.it":              "a@x.it b@x.it",
		"Anna <a@x.it>":              "a@x.it",
		`"Rossi, Anna" <a@X.it>`:     "a@x.it",
		"<a@x.it>":                   "a@x.it",
		"root":                       "root@host.it",
		"root, Anna <a@x.it>; <adm>": "root@host.it a@x.it adm@host.it",
		"":                           "",
		"Anna Rossi":                 "!",
		"a@x.it, @":                  "!",
	} {
		list, err := ReadAddresses(in, home)
		var got []string
		for _, a := range list {
			got = append(got, a.Address.String())
		}
		if (err != nil) != (want == "!") || err == nil && strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := ReadAddresses("root", nil); err == nil {
		t.Error("a name without a domain passed")
	}
}

// A message that was sent again goes to those it was sent again to, and to no
// one of the earlier rounds.
func TestResentRecipients(t *testing.T) {
	t.Parallel()
	const old = "Received: by x\r\nResent-From: one@x.it\r\nResent-To: old@x.it\r\n"
	for name, c := range map[string]struct{ head, want, from string }{
		"not sent again": {"", "to@x.it cc@x.it", "f@x.it"},
		"all three": {"Resent-From: me@x.it\r\nResent-To: a@x.it\r\nresent-cc: b@x.it\r\nRESENT-BCC: c@x.it\r\n",
			"a@x.it b@x.it c@x.it", "me@x.it"},
		"sender":               {"Resent-From: me@x.it\r\nResent-Sender: sec@x.it\r\nResent-To: a@x.it\r\n", "a@x.it", "sec@x.it"},
		"twice, trace between": {"Resent-From: me@x.it\r\nResent-To: a@x.it\r\n" + old, "a@x.it", "me@x.it"},
		"twice, no trace":      {"Resent-Date: x\r\nResent-To: a@x.it\r\nResent-Date: y\r\nResent-To: old@x.it\r\n", "a@x.it", "f@x.it"},
		"one block, two To":    {"Resent-To: a@x.it\r\nResent-To: b@x.it\r\n", "a@x.it b@x.it", "f@x.it"},
		"to no one":            {"Resent-From: me@x.it\r\n", "", "me@x.it"},
	} {
		for _, raw := range []string{c.head + "From: f@x.it\r\nTo: to@x.it\r\nCc: cc@x.it\r\n",
			"From: f@x.it\r\nTo: to@x.it\r\nCc: cc@x.it\r\n" + c.head} {
			m, err := Read(Bytes([]byte(raw+"\r\nx\r\n")), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.HeaderRecipients(); err != nil || strings.Join(addrSpecs(got), " ") != c.want ||
				m.HeaderSender().String() != c.from {
				t.Errorf("%s: %s by %s, %v", name, got, m.HeaderSender(), err)
			}
		}
	}
	m, err := Read(Bytes([]byte("From: f@x.it\r\nTo: ok@x.it\r\nResent-To: a@x.it, Anna Rossi\r\n\r\n")), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.HeaderRecipients(); err == nil || asOwn(err).Field != "Resent-To" {
		t.Errorf("%v %v", got, err)
	}
}
