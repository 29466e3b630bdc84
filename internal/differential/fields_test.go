package differential

import "strings"

// A fragment is one piece that a message is made of.
type fragment struct {
	kind  string   // names it in failures and in the table of differences
	text  string   // header fields, or what the dimension says
	holds []string // addresses that stand in it, normalised
	loose bool     // not as the standards have it: the message may be refused
}

// Each dimension has what well-made mail has first.
var (
	froms = []fragment{
		{kind: "plain", text: "From: ERP <sender@diff.example>"},
		{kind: "bare", text: "From: sender@diff.example"},
		{kind: "quoted", text: "From: \"Rossi, Anna\" <sender@diff.example>"},
		{kind: "comment", text: "From: sender@diff.example (Anna (la prima) Rossi)"},
		{kind: "word", text: "From: =?utf-8?Q?Societ=C3=A0?= <sender@diff.example>"},
		{kind: "word-comma", text: "From: =?utf-8?Q?Rossi,_Anna?= <sender@diff.example>"},
		{kind: "quoted-word", text: "From: \"=?utf-8?B?U29jaWV0w6A=?=\" <sender@diff.example>"},
		{kind: "folded", text: "From: ERP\r\n <sender@diff.example>"},
		{kind: "lower", text: "from:sender@diff.example"},
		{kind: "raw-utf8", text: "From: Società <sender@diff.example>", loose: true},
		{kind: "raw-latin1", text: "From: Societ\xe0 <sender@diff.example>", loose: true},
		{kind: "spaces", text: "From: < sender@diff.example >", loose: true},
		{kind: "twice", text: "From: ERP <sender@diff.example>\r\nFrom: other@diff.example", holds: []string{"other@diff.example"}, loose: true},
		{kind: "none", text: "X-From: none", loose: true},
		{kind: "unreadable", text: "From: sender at diff.example", loose: true},
		{kind: "invisible", text: "From: ERP <\u200bsender@diff.example\u200b>", loose: true},
		{kind: "glue", text: "From: Anna sender@diff.example", loose: true},
		{kind: "several", text: "From: a@diff.example, b@diff.example\r\nSender: sender@diff.example", holds: []string{"a@diff.example", "b@diff.example"}},
	}
	tos = []fragment{
		{kind: "plain", text: "To: Anna Rossi <anna@example.com>", holds: list("anna@example.com")},
		{kind: "bare", text: "To: anna@example.com", holds: list("anna@example.com")},
		{kind: "two", text: "To: anna@example.com, Bruno <bruno@example.com>", holds: list("anna@example.com bruno@example.com")},
		{kind: "same-twice", text: "To: anna@example.com, Anna <anna@example.com>", holds: list("anna@example.com")},
		{kind: "folded", text: "To: anna@example.com,\r\n\tBruno <bruno@example.com>,\r\n  carla@example.com", holds: list("anna@example.com bruno@example.com carla@example.com")},
		{kind: "group", text: "To: Vendite: anna@example.com, Bruno <bruno@example.com>;", holds: list("anna@example.com bruno@example.com")},
		{kind: "group-and-more", text: "To: Vendite: anna@example.com;, bruno@example.com", holds: list("anna@example.com bruno@example.com")},
		{kind: "empty-group", text: "To: undisclosed-recipients:;\r\nBcc: anna@example.com", holds: list("anna@example.com")},
		{kind: "quoted-local", text: "To: \"anna rossi\"@example.com", holds: []string{`"anna rossi"@example.com`}},
		{kind: "comment", text: "To: anna@example.com (Anna, contabilità)", holds: list("anna@example.com"), loose: true},
		{kind: "comment-ascii", text: "To: (ufficio) anna@example.com (Anna, a@b.example)", holds: list("anna@example.com")},
		{kind: "obs-route", text: "To: <@a.example,@b.example:anna@example.com>", holds: list("anna@example.com"), loose: true},
		{kind: "obs-space", text: "To: anna @ example . com", holds: list("anna@example.com"), loose: true},
		{kind: "word", text: "To: =?iso-8859-1?Q?Andr=E9?= <anna@example.com>", holds: list("anna@example.com")},
		{kind: "word-comma", text: "To: =?utf-8?Q?Rossi,_Anna?= <anna@example.com>, bruno@example.com", holds: list("anna@example.com bruno@example.com")},
		{kind: "word-address", text: "To: =?utf-8?Q?anna=40example.com?=", holds: list("anna@example.com"), loose: true},
		{kind: "word-hides-address", text: "To: =?utf-8?Q?x=40evil.example=2C?= <anna@example.com>", holds: list("anna@example.com")},
		{kind: "quoted-hides-address", text: "To: \"x@evil.example, y@evil.example\" <anna@example.com>", holds: list("anna@example.com")},
		{kind: "idn", text: "To: anna@b\u00fccher.example", holds: list("anna@xn--bcher-kva.example")},
		{kind: "a-label", text: "To: anna@XN--bcher-kva.example", holds: list("anna@xn--bcher-kva.example")},
		{kind: "utf8-local", text: "To: andr\u00e9@example.com", holds: list("andr\u00e9@example.com"), loose: true},
		{kind: "upper", text: "TO: Anna@EXAMPLE.com", holds: list("Anna@example.com")},
		{kind: "plus", text: "To: anna+fatture=2026/12@example.com", holds: list("anna+fatture=2026/12@example.com")},
		{kind: "dot-phrase", text: "To: Dott. Anna M. Rossi <anna@example.com>", holds: list("anna@example.com"), loose: true},
		{kind: "no-comma-angle", text: "To: <anna@example.com> <bruno@example.com>", holds: list("anna@example.com bruno@example.com"), loose: true},
		{kind: "semicolon", text: "To: anna@example.com; bruno@example.com", holds: list("anna@example.com bruno@example.com"), loose: true},
		{kind: "trailing-comma", text: "To: anna@example.com, bruno@example.com,", holds: list("anna@example.com bruno@example.com"), loose: true},
		{kind: "commas", text: "To: , anna@example.com,, bruno@example.com", holds: list("anna@example.com bruno@example.com"), loose: true},
		{kind: "glue", text: "To: Anna Rossi anna@example.com", holds: list("anna@example.com"), loose: true},
		{kind: "glue-angle", text: "To: Anna Rossi anna@example.com <anna@example.com>", holds: list("anna@example.com"), loose: true},
		{kind: "two-words", text: "To: anna@example.com bruno@example.com", holds: list("anna@example.com bruno@example.com"), loose: true},
		{kind: "half-angle", text: "To: a@example.net, <anna@example.com", holds: list("a@example.net anna@example.com"), loose: true},
		{kind: "half-quote", text: "To: \"Anna <anna@example.com>", holds: list("anna@example.com"), loose: true},
		{kind: "half-comment", text: "To: anna@example.com (Anna", holds: list("anna@example.com"), loose: true},
		{kind: "no-address", text: "To: Anna Rossi", loose: true},
		{kind: "no-domain", text: "To: anna", loose: true},
		{kind: "empty", text: "To:", loose: true},
		{kind: "blank", text: "To: \r\n ", loose: true},
		{kind: "absent", text: "X-To: none", loose: true},
		{kind: "double-at", text: "To: anna@example.com@evil.example", loose: true, holds: list("anna@example.com@evil.example")},
		{kind: "dots", text: "To: .anna..rossi.@example.com", holds: list(".anna..rossi.@example.com"), loose: true},
		{kind: "zero-width", text: "To: anna@example.com\u200b, \ufeffbruno@example.com", holds: list("anna@example.com bruno@example.com"), loose: true},
		{kind: "zero-width-inside", text: "To: an\u200bna@example.com", loose: true},
		{kind: "bidi-inside", text: "To: anna@exam\u202eple.com", loose: true},
		{kind: "nbsp", text: "To: Anna\u00a0<anna@example.com>\u00a0", holds: list("anna@example.com"), loose: true},
		{kind: "raw-latin1", text: "To: Andr\xe9 <anna@example.com>", holds: list("anna@example.com"), loose: true},
		{kind: "url", text: "To: mailto:anna@example.com", holds: list("anna@example.com"), loose: true},
		{kind: "literal", text: "To: anna@[192.0.2.1]", holds: list("anna@[192.0.2.1]"), loose: true},
		{kind: "single-quotes", text: "To: 'Anna' <anna@example.com>, 'bruno@example.com'", holds: list("anna@example.com bruno@example.com 'bruno@example.com'"), loose: true},
		{kind: "several-fields", text: "To: anna@example.com\r\nTo: bruno@example.com", holds: list("anna@example.com bruno@example.com"), loose: true},
	}
	// others are further fields of people; what a resent block says depends on the entry point.
	others = []fragment{
		{kind: "none"},
		{kind: "cc", text: "Cc: carlo@example.net", holds: list("carlo@example.net")},
		{kind: "bcc", text: "Bcc: Nascosto <dora@example.net>", holds: list("dora@example.net")},
		{kind: "cc-bcc", text: "Cc: carlo@example.net,\r\n elena@example.net\r\nBcc: dora@example.net, fabio@example.net", holds: list("carlo@example.net elena@example.net dora@example.net fabio@example.net")},
		{kind: "bcc-folded", text: "bcc:\r\n dora@example.net", holds: list("dora@example.net")},
		{kind: "two-bcc", text: "Bcc: dora@example.net\r\nBcc: fabio@example.net", holds: list("dora@example.net fabio@example.net"), loose: true},
		{kind: "empty-cc", text: "Cc:\r\nBcc: \r\nReply-To:", loose: true},
		{kind: "reply-to", text: "Reply-To: Ufficio <ufficio@example.org>", holds: list("ufficio@example.org")},
		{kind: "cc-word", text: "Cc: =?utf-8?B?Q2FybG8sIGxhIFZpYQ==?= <carlo@example.net>", holds: list("carlo@example.net")},
		{kind: "cc-broken", text: "Cc: Carlo carlo@example.net, dora@", holds: list("carlo@example.net"), loose: true},
		{kind: "resent", text: "Resent-From: sender@diff.example\r\nResent-To: gina@example.org\r\nResent-Bcc: ivo@example.org", holds: list("gina@example.org ivo@example.org"), loose: true},
	}
	subjects = []fragment{
		{kind: "plain", text: "Subject: Fattura 42"},
		{kind: "b-word", text: "Subject: =?utf-8?B?UGVyY2jDqSBubz8=?="},
		{kind: "q-word", text: "Subject: =?iso-8859-15?Q?Prezzo_in_=A4=3A_10?="},
		{kind: "adjacent", text: "Subject: =?utf-8?Q?Per?= =?utf-8?Q?ch=C3=A9?="},
		{kind: "adjacent-folded", text: "Subject: =?utf-8?Q?Per?=\r\n =?utf-8?Q?ch=C3=A9?= no"},
		{kind: "split-character", text: "Subject: =?utf-8?B?UGVyY2jD?= =?utf-8?B?qQ==?=", loose: true},
		{kind: "2022-jp", text: "Subject: =?iso-2022-jp?B?GyRCRnxLXDhsGyhC?="},
		{kind: "koi8", text: "Subject: =?koi8-r?B?8NLJ18XU?="},
		{kind: "gb18030", text: "Subject: =?gb18030?B?xOO6ww==?="},
		{kind: "shift-jis", text: "Subject: =?shift_jis?B?k/qWe4zq?="},
		{kind: "windows", text: "Subject: =?windows-1252?Q?=80_10_=96_ok?="},
		{kind: "language", text: "Subject: =?utf-8*it?Q?Perch=C3=A9?=", loose: true},
		{kind: "unknown-charset", text: "Subject: =?x-unknown?Q?Perch=E9?=", loose: true},
		{kind: "broken-word", text: "Subject: =?utf-8?Q?Perch=C3=A9", loose: true},
		{kind: "broken-base64", text: "Subject: =?utf-8?B?UGVyY2jDqQ?=", loose: true},
		{kind: "space-in-word", text: "Subject: =?utf-8?Q?Perch=C3=A9 no?=", loose: true},
		{kind: "word-inside", text: "Subject: Re:=?utf-8?Q?Perch=C3=A9?=", loose: true},
		{kind: "folded", text: "Subject: una\r\n riga\r\n\tlunga"},
		{kind: "raw-utf8", text: "Subject: Perch\u00e9 no", loose: true},
		{kind: "raw-latin1", text: "Subject: Perch\xe9 no", loose: true},
		{kind: "empty", text: "Subject:"},
		{kind: "absent", text: "X-Subject: none"},
		{kind: "long", text: "Subject: " + strings.Repeat("parola ", 130) + "fine"},
		{kind: "long-words", text: "Subject: =?utf-8?Q?" + strings.Repeat("Perch=C3=A9_", 90) + "?=", loose: true},
		{kind: "tab", text: "Subject:\tFattura\t42", loose: true},
		{kind: "twice", text: "Subject: Uno\r\nSubject: Due", loose: true},
		{kind: "no-space", text: "subject:Fattura"},
		{kind: "space-before-colon", text: "Subject : Fattura", loose: true},
	}
	ids = []fragment{
		{kind: "plain", text: "Message-ID: <KEY@diff.example>"},
		{kind: "no-dot", text: "Message-ID: <KEY@odoo>"},
		{kind: "no-brackets", text: "Message-ID: KEY@diff.example", loose: true},
		{kind: "word", text: "Message-ID: =?utf-8?Q?=3CKEY=40diff.example=3E?=", loose: true},
		{kind: "comment", text: "Message-ID: <KEY@diff.example> (ours)"},
		{kind: "folded", text: "Message-ID:\r\n <KEY@diff.example>"},
		{kind: "absent", text: "X-Message: none"},
		{kind: "literal", text: "Message-ID: <KEY@[192.0.2.1]>"},
		{kind: "no-at", text: "Message-ID: <KEY>", loose: true},
	}
	dates = []fragment{
		{kind: "plain", text: "Date: Sun, 29 Nov 2026 10:00:00 +0100"},
		{kind: "no-space", text: "Date: Sun,29 Nov 2026 10:00:00 +0100"},
		{kind: "second-60", text: "Date: Sun, 29 Nov 2026 10:00:60 +0100"},
		{kind: "zone-z", text: "Date: Sun, 29 Nov 2026 10:00:00 Z"},
		{kind: "comment", text: "Date: Sun, 29 Nov 2026 10:00:00 +0100 (CET)"},
		{kind: "obs", text: "Date: 29 Nov 26 10:00 GMT"},
		{kind: "junk", text: "Date: 2026-11-29 10:00", loose: true},
		{kind: "absent", text: "X-Date: none"},
	}
	heads = []fragment{ // around the other fields
		{kind: "plain", text: ""},
		{kind: "received", text: "Received: from a.example by b.example; Sun, 29 Nov 2026 10:00:00 +0100"},
		{kind: "references", text: "References: " + strings.Repeat("<aaaaaaaaaaaaaaaaaaaa@example.com> ", 60)},
		{kind: "list", text: "List-Unsubscribe: <https://example.com/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: bulk"},
		{kind: "empty-field", text: "X-Empty:\r\nX-Blank: "},
		{kind: "dkim", text: "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x;\r\n\th=from:to; bh=aaaa; b=bbbb"},
		{kind: "utf8", text: "X-Nota: perch\u00e9", loose: true},
		{kind: "white-line", text: "X-Folded: a\r\n \r\n b", loose: true},
		{kind: "no-colon", text: "this is no field", loose: true},
	}
)

// list are addresses with a space between.
func list(s string) []string { return strings.Fields(s) }
