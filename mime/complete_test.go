package mime

import (
	"strings"
	"testing"
)

// TestParseDate: every form of RFC 5322 sections 3.3 and 4.3.
func TestParseDate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Sun, 29 Nov 2026 10:00:00 +0000": "2026-11-29T10:00:00Z", "Sun,29 Nov 2026 10:00:00 +0000": "2026-11-29T10:00:00Z",
		"29 Nov 2026 10:00 +0130":         "2026-11-29T08:30:00Z",
		"Sun, 29 Nov 2026 23:59:60 +0000": "2026-11-30T00:00:00Z", "Sun, 29 Nov 2026 10:00:00 (now) +0100 (CET)": "2026-11-29T09:00:00Z",
		"Sun, 29 Nov 2026 10:00:00 Z":                             "2026-11-29T10:00:00Z",
		"(a(b))Sun (c) ,(d) 29(e)Nov(f)2026(g)10(h):(i)00:00 GMT": "2026-11-29T10:00:00Z", "29 NOV 26 10:00:00 est": "2026-11-29T15:00:00Z",
		"1 Jan 99 1:02:03 PDT": "1999-01-01T08:02:03Z",
		"1 Jan 126 10:00:00 A": "2026-01-01T10:00:00Z", "Sun, 9 Nov 2026 10:00:00 CET": "2026-11-09T10:00:00Z",
		"Sun, 29 Nov 2026 10 : 00 : 00 -0000": "2026-11-29T10:00:00Z",
		"29 Feb 2028 10:00:00 UT":             "2028-02-29T10:00:00Z", "Sun,\t29 Nov 2026\r\n 10:00:00 -1130": "2026-11-29T21:30:00Z",
		"": "", "2026-11-29": "", "29 Feb 2026 10:00:00 UT": "", "31 Nov 2026 10:00:00 +0000": "", "0 Nov 2026 10:00:00 +0000": "",
		"29 Nov 2026 24:00:00 +0000": "", "29 Nov 2026 10:60:00 +0000": "",
		"29 Nov 2026 10:00:61 +0000": "", "29 Nov 2026 10:00:00": "", "29 Nov 2026 10:00:00 +000": "", "29 Nov 2026 10:00:00 + 0000": "",
		"29 Nov 2026 10:00:00 +0060": "", "29 Nov 2026 10:00:00 J": "",
		"Dom, 29 Nov 2026 10:00:00 +0000": "", "Sun 29 Nov 2026 10:00:00 +0000": "", "29 Nove 2026 10:00:00 +0000": "",
		"29 Nov 2026 10:00:00 +0000 x": "", "29 Nov 2026 10:00:00 +0000 (x": "",
		"29 Nov 1026 10:00:00 +0000": "", "29 Nov 6 10:00:00 +0000": "",
	} {
		d, ok := ParseDate(in)
		got := ""
		if ok {
			got = d.UTC().Format("2006-01-02T15:04:05Z07:00")
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if v := strings.ReplaceAll(in, "\r\n ", " "); want != "" {
			m, stored := accepted(t, "From: a@x.it\r\nDate: "+v+"\r\n\r\n", acceptOptions(false))
			if !strings.Contains(stored, "\r\nDate: "+v+"\r\n") || !m.Date().Equal(d) {
				t.Errorf("%q is not kept: %s", v, stored)
			}
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"Sun, 29 Nov 2026 10:00:00 +0000", "(a)29(b)Nov 26 10:00 (c) est", "1 Jan 126 23:59:60 Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, ok := ParseDate(in)
		if !ok {
			return
		}
		again, ok := ParseDate(d.Format(dateLayout))
		if !ok || !again.Equal(d) {
			t.Errorf("%q is %v, written %v %v", in, d, again, ok)
		}
	})
}

// TestMessageIDKept: what RFC 5322 section 3.6.4 allows stays; Gmail alone
// replaces a domain without a dot (contracts C5.5).
func TestMessageIDKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want, gmail string }{
		{"<123.456-openerp-7-sale.order@3f2a9c1b7d10>", "", "new"}, {"<1@localhost>", "", "new"}, {"<a@b.example>", "", ""},
		{"<a@[127.0.0.1]>", "", ""},
		{"<a@[x:y]>", "", "new"}, {`<"a:b"@b.example>`, "", "new"},
		{"=?utf-8?Q?=3C123=40b.example=3E?=", "<123@b.example>", "<123@b.example>"}, {"=?us-ascii?B?PDEyM0Bob3N0Pg==?=", "<123@host>", "new"},
		{"=?utf-8?Q?=3C123=2E?=\r\n =?utf-8?Q?4=40b.example=3E?=", "<123.4@b.example>", "<123.4@b.example>"},
		{"<a@b.example> (x)", "<a@b.example>", "<a@b.example>"},
		{"<a@b@c.example>", "new", "new"}, {"a@b.example", "new", "new"}, {"<a b@c.example>", "new", "new"}, {"<a@b.>", "new", "new"},
		{"<a@b..c>", "new", "new"}, {"=?utf-8?Q?=3C1=40b=2Ec=3E=0D=0ABcc:_x=40y=2Ez?=", "<1@b.c>", "<1@b.c>"},
	} {
		for gmail, want := range map[bool]string{false: tt.want, true: tt.gmail} {
			opt := acceptOptions(false)
			opt.GmailMessageID = gmail
			m, err := Accept(Bytes([]byte("From: a@x.it\r\nMessage-ID: "+tt.in+"\r\n\r\n")), opt)
			if err != nil {
				t.Fatal(err)
			}
			old := strings.Join(strings.Fields(tt.in), " ")
			kept := strings.Join(m.Values("X-Postino-Original-Message-ID"), "")
			switch id := m.MessageID(); {
			case want == "" && (id != old || kept != ""), want == "new" && (!strings.HasSuffix(id, "@relay.example.it>") || kept == ""),
				len(want) > 3 && (id != want || kept == ""):
				t.Errorf("%s, Gmail %v: %s, old one in %q", tt.in, gmail, id, kept)
			}
		}
	}
}

// TestPreface: what stands before a message is no part of it, read or accepted.
func TestPreface(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"\ufeff", "\ufeff\ufeff", "From a@x.it Sun Nov 22 10:00:00 2026\r\n",
		"\ufeffFrom a@x.it Sun Nov 22 10:00:00 2026\r\n", ">From a@x.it Sun Nov 22\r\n\ufeff"} {
		m := mustRead(t, before+okHead+"\r\nhi\r\n")
		if text(t, m.Source()) != okHead+"\r\nhi\r\n" {
			t.Errorf("%q: read %q", before, text(t, m.Source()))
		}
		if _, stored := accepted(t, before+okHead+"\r\nhi\r\n", acceptOptions(true)); stored != okHead+"\r\nhi\r\n" {
			t.Errorf("%q: accepted %q", before, stored)
		}
	}
	utf16 := func(big bool) string {
		var b strings.Builder
		for _, c := range []byte(okHead + "\r\nhi\r\n") {
			if big {
				b.WriteString("\x00" + string(rune(c)))
			} else {
				b.WriteString(string(rune(c)) + "\x00")
			}
		}
		return b.String()
	}
	for _, in := range []string{"\xff\xfe" + utf16(false), "\xfe\xff" + utf16(true), utf16(false), utf16(true)} {
		_, rerr := Read(Bytes([]byte(in)), Limits{})
		_, aerr := Accept(Bytes([]byte(in)), acceptOptions(true))
		for _, err := range []error{rerr, aerr} {
			var e *Error
			if !asError(err, &e) || e.Code != "utf16" {
				t.Errorf("%.12q: %v", in, err)
			}
		}
	}
}

// TestAcceptTidiesAddresses: what goes out is read the same by everyone.
func TestAcceptTidiesAddresses(t *testing.T) {
	t.Parallel()
	tail := "Date: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@x.it>\n"
	for _, tt := range []struct{ name, in, want string }{
		{"an @ in the name", "From: p@x.it <p@x.it>\nTo: a@x.it <a@x.it>, B <b@x.it>\nReply-To: p@x.it <p@x.it>\n",
			"From: \"p@x.it\" <p@x.it>\nTo: \"a@x.it\" <a@x.it>, B <b@x.it>\nReply-To: \"p@x.it\" <p@x.it>\n"},
		{"a comma in an encoded word", "From: a@x.it\nTo: =?utf-8?Q?Rossi,_Anna?= <a@x.it>\n", "From: a@x.it\nTo: \"Rossi, Anna\" <a@x.it>\n"},
		{"an @ in an encoded word, accents", "From: =?utf-8?Q?Caff=C3=A8@home?= <a@x.it>\n", "From: =?utf-8?q?Caff=C3=A8=40home?= <a@x.it>\n"},
		{"invisible", "From: a@x.it\nTo: \u200banna@x.it, <b@x.it\u00a0>\n", "From: a@x.it\nTo: anna@x.it, b@x.it\n"},
		{"empty", "From: a@x.it\nTo:\nCc: \nBcc: ,\nReply-To: <>\nSender: \"\" <>\nResent-Cc:\nDisposition-Notification-To: " +
			"\nReferences:\nIn-Reply-To: \nSubject:\n", "From: a@x.it\nSubject:\n"},
		{"other fields", "From: a@x.it\nDisposition-Notification-To: a@x.it <a@x.it>\nResent-Bcc: c@x.it <c@x.it>\n",
			"From: a@x.it\nDisposition-Notification-To: \"a@x.it\" <a@x.it>\nResent-Bcc: \"c@x.it\" <c@x.it>\n"},
		{"good ones are kept", "From:  Dr. Caffè  <a@x.it>\nTo: undisclosed-recipients:;\nCc: a@x.it;b@x.it\n",
			"From:  Dr. Caffè  <a@x.it>\nTo: undisclosed-recipients:;\nCc: a@x.it;b@x.it\n"},
		{"unreadable beside", "From: a@x.it\nTo: a@x.it <a@x.it>, all customers\n", "From: a@x.it\nTo: a@x.it <a@x.it>, all customers\n"},
		{"signed", "DKIM-Signature: v=1\nFrom: a@x.it <a@x.it>\nCc:\n", "DKIM-Signature: v=1\nFrom: a@x.it <a@x.it>\nCc:\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, got := accepted(t, crlfText(tt.in+tail+"\nbody\n"), acceptOptions(false))
			if want := crlfText(tt.want + tail + "\nbody\n"); got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
			src, err := m.ForAPI(mailboxes("q@x.it"))
			if err != nil {
				t.Fatal(err)
			}
			if view := text(t, src); strings.Contains(view, "Reply-To:\r\n") || strings.Contains(view, "From: a@x.it <") ||
				strings.Contains(view, "Cc:\r\n") {
				t.Errorf("API view:\n%s", view)
			}
		})
	}
}

// TestReplyToUnreadable: an API refuses the whole message for such an entry
// (contracts B5.4); SMTP gets it as it is.
func TestReplyToUnreadable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"sales": "", "sales, a@x.it": "Reply-To: a@x.it\r\n",
		"Team: a@x.it, b;": "Reply-To: Team: a@x.it;\r\n"} {
		m, stored := accepted(t, okHead+"Reply-To: "+in+"\r\n\r\n", acceptOptions(false))
		src, err := m.ForAPI(mailboxes("b@x.it"))
		if err != nil {
			t.Fatal(err)
		}
		view := text(t, src)
		if !strings.Contains(stored, "Reply-To: "+in+"\r\n") || !strings.Contains(view, "(1 not readable)") || !strings.Contains(view, want) ||
			want == "" && strings.Contains(view, "Reply-To") {
			t.Errorf("%s:\n%s", in, view)
		}
	}
}
