//go:build unix

package mime

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A growthCase returns one parser or writer input of about n octets of a hostile form.
type growthCase struct {
	name  string
	input func(n int) string
	run   func(in string) // must not fail for lack of a limit alone
}

func copies(s string) func(int) string {
	return func(n int) string { return strings.Repeat(s, n/len(s)+1) }
}

func within(before, s, after string) func(int) string {
	return func(n int) string { return before + strings.Repeat(s, n/len(s)+1) + after }
}

// acceptance takes a message through everything that a gateway does with it.
func acceptance(in string) {
	m, err := Accept(Bytes([]byte(in)), AcceptOptions{Lenient: true, Limits: Limits{HeaderBytes: 4 << 20}})
	if err != nil {
		m, err = Read(Bytes([]byte(in)), Limits{HeaderBytes: 4 << 20})
	}
	if err != nil {
		return
	}
	_, _, _ = m.Subject(), m.Date(), m.MessageID()
	for range m.Fields() {
		continue // each is decoded
	}
	_, _, _ = m.TextBodies(64 << 10)
	_, _, _ = m.Recipients(), m.BadAddresses(), m.From()
	_, _ = m.ForAPI(mailboxes("a@example.com"))
	_, _ = m.ASCIIHeader()
	if w, err := m.SevenBit(); err == nil {
		_ = w(io.Discard)
	}
}

// field is a message with one field of a form in its header.
func field(name string, value func(int) string) growthCase {
	return growthCase{name + ": " + value(0), func(n int) string {
		from := "From: erp@contoso.it\r\nTo: a@example.com\r\n"
		if name == "To" {
			from = "From: erp@contoso.it\r\n"
		}
		return from + name + ": " + value(n) + "\r\n\r\nx\r\n"
	}, acceptance}
}

// folded is a field on many short lines.
func folded(name, line string) growthCase {
	c := field(name, copies(line+"\r\n "))
	c.name = name + " folded: " + line
	return c
}

func body(head string, value func(int) string) growthCase {
	return growthCase{"body of " + head + ": " + shorten(value(0)), func(n int) string {
		return "From: erp@contoso.it\r\nTo: a@example.com\r\n" + head + "\r\n\r\n" + value(n) + "\r\n"
	}, acceptance}
}

// draft composes with one value of a form.
func draft(name string, value func(int) string, set func(d *Draft, v string)) growthCase {
	return growthCase{"compose " + name + ": " + shorten(value(0)), value, func(in string) {
		d := &Draft{From: Address{Address: mailbox("erp@contoso.it")}, To: []Address{{Address: mailbox("a@example.com")}}, Text: "t"}
		set(d, in)
		_ = Compose(io.Discard, d)
	}}
}

func growthCases() []growthCase {
	many := func(format string) func(int) string { // entries that differ
		return func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n || i == 0; i++ {
				fmt.Fprintf(&b, format, i)
			}
			return b.String()
		}
	}
	var all []growthCase
	for _, name := range []string{"Subject", "X-Other", "To", "Message-ID", "References", "Date", "Content-Type", "Content-Disposition",
		"Content-Transfer-Encoding"} {
		for _, s := range []string{"è ", "è", "a ", "=?utf-8?q?=C3=A8?= ", "\t ", "a"} {
			all = append(all, field(name, copies(s)))
		}
	}
	for _, s := range []string{"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?= ", "=?iso-2022-jp?q?a?= =?euc-kr?q?a?= ", "=?u?q?x", "=?utf-8?b?YQ==",
		"=?", "=?=?", "?=", "=?utf-8?q?=",
		"=?no-such?q?a?= ", "=?iso-2022-jp?q?a?=b"} {
		all = append(all, field("Subject", copies(s)), field("Subject", within("", s, "?=")), field("To", within("", s, " <a@example.com>")))
	}
	for _, s := range []string{"(", "()", "((a))", "\"", "\"a\" ", "\\", "<", "<a@example.com>", "a@example.com,", "a@example.com;", ",", ";",
		"g:;", "g: a@example.com;", "g:", "@", "a@", ".", "[",
		"a b@example.com, ", "a.b.", "<@a,@b:", "è@example.com, ", "=?utf-8?q?a?= <a@example.com>, ", "(a) "} {
		all = append(all, field("To", copies(s)), field("X-Other", copies(s)))
	}
	for _, s := range []string{"; a=b", ";", "; a=\"b", "; a=\"b\"", " a=\"b\" c", "; a*=utf-8''b", "=", "\\\"", "(", "()", "%41"} {
		all = append(all, field("Content-Type", within("text/plain", s, "")), field("Content-Disposition", within("attachment", s, "")),
			field("Content-Type", within("text/plain; name=\"", s, "\"")),
			field("Content-Disposition", within("attachment; filename*=utf-8''", s, "è")))
	}
	all = append(all,
		field("Content-Disposition", func(n int) string {
			return "attachment" + many("; filename*%d*=%%C3%%A8aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")(n)
		}),
		field("Content-Type", func(n int) string { return "text/plain" + many("; p%d=è")(n) }),
		field("To", many("è%d@example.com, ")), field("To", many("Anna Rossi <a%d@example.com>, ")),
		field("References", many("<%d@example.com> ")), field("References", many("<%d@example.com>")),
		folded("Subject", "è"), folded("Subject", "aaa"), folded("References", "<a@example.com>"), folded("To", "a@example.com,"),
		folded("X-Other", ""),
		growthCase{"many fields", func(n int) string { return "From: erp@contoso.it\r\n" + many("X-%d: è\r\n")(n) + "\r\nx" }, acceptance},
		growthCase{"equal fields", func(n int) string { return "From: erp@contoso.it\r\n" + many("To: a%d@example.com\r\n")(n) + "\r\nx" },
			acceptance},
		growthCase{"equal references", func(n int) string { return "From: erp@contoso.it\r\n" + many("References: <%d@x>\r\n")(n) + "\r\nx" },
			acceptance},
	)
	nest := "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	all = append(all,
		body("Content-Type: multipart/mixed; boundary=b", copies("--b\r\n\r\nx\r\n")),
		body("Content-Type: multipart/mixed; boundary=b", copies("--b\r\n")),
		body("Content-Type: multipart/mixed; boundary=b", copies("--b--\r\n")),
		body("Content-Type: multipart/mixed; boundary=b", copies("--c\r\n")),
		body("Content-Type: multipart/mixed; boundary=b", copies("--b\r\n"+nest)),
		body("Content-Type: multipart/mixed; boundary=b",
			within(strings.Repeat("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n"+nest, 40), "--d\r\n", "")),
		body("Content-Type: multipart/mixed; boundary="+strings.Repeat("b", 250), copies("--"+strings.Repeat("b", 249)+"\r\n")),
		body("Content-Type: multipart/mixed; boundary=b", within("--b\r\n", "X: è\r\n", "\r\nx")),
		body("Content-Type: multipart/mixed; boundary=b", within("--b\r\nSubject: ", "è ", "\r\n\r\nx")),
		body("Content-Type: message/rfc822", copies("Content-Type: message/rfc822\r\n\r\n")),
		body("X-A: b", copies("è ")), body("X-A: b", copies("-\n")), body("X-A: b", copies("--")), body("X-A: b", copies("\r")),
		body("Content-Type: text/html", copies("è")), body("Content-Transfer-Encoding: base64", copies("QUJD")),
		body("Content-Transfer-Encoding: base64", copies("=")),
		body("Content-Transfer-Encoding: quoted-printable", copies(" ")), body("Content-Transfer-Encoding: quoted-printable", copies("=")),
		body("Content-Transfer-Encoding: x-uuencode", within("begin 644 a\r\n", "#0V%T\r\n", "end")),
	)
	for _, s := range []string{"è ", "è", "a ", "a", "  ", "\"", "=?", "(", "a@b, "} {
		all = append(all, draft("Subject", copies(s), func(d *Draft, v string) { d.Subject = v }),
			draft("name", copies(s), func(d *Draft, v string) { d.To[0].Name = v }),
			draft("X-Other", copies(s), func(d *Draft, v string) { d.Headers = []Field{{"X-Other", v}} }),
			draft("Text", copies(s), func(d *Draft, v string) { d.Text = v }))
	}
	for _, s := range []string{"<", "<p>", "<!--", "<a href=x>", "<a href='http://x'>y", "<b a=b ", "&", "&amp;", "<ul><li>",
		"<blockquote>a<br>", "</", "<div style='display:none'>", "<pre>\n", "cid:", "=cid:", "\"cid:l.png\"", "<table><td>",
		"<script>", "<textarea>", "\u00a0"} {
		all = append(all, draft("HTML", copies(s), func(d *Draft, v string) {
			d.HTML, d.Text = v, ""
			d.Attachments = []Attachment{inlineOf("l.png"), inlineOf("l m.png")}
		}))
	}
	all = append(all,
		draft("References", many("<%d@example.com> "), func(d *Draft, v string) { d.References = []string{v} }),
		draft("recipients", many("a%d@example.com "), func(d *Draft, v string) {
			for f := range strings.FieldsSeq(v) {
				d.Bcc = append(d.Bcc, Address{Address: mailbox(f)})
			}
		}),
		draft("calendar", copies("BEGIN:VCALENDAR\r\nX:Y\r\n"), func(d *Draft, v string) {
			d.Attachments = []Attachment{fileOf("a.ics", "", v)}
		}),
		draft("message", copies("a: b\r\n"), func(d *Draft, v string) { d.Attachments = []Attachment{fileOf("a.eml", "", v)} }),
		draft("content type", within("a/b", "; a=b", ""), func(d *Draft, v string) { d.Attachments = []Attachment{fileOf("a", v, "x")} }),
		draft("file name", copies("è/"), func(d *Draft, v string) { d.Attachments = []Attachment{fileOf(v, "", "x")} }),
	)
	return all
}

// TestGrowth: twice the input takes at most 2.3 times the processor time and
// memory, for every parser and every form of header and body. Sixteen times the
// input is what is measured (four doublings), because slices and caches grow in
// steps. It is not parallel, so that the process does nothing else; the least of
// several runs counts.
func TestGrowth(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector measures itself")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // collected between the runs, not in them
	const (
		n     = 8 << 10
		times = 16
		most  = 2.3 * 2.3 * 2.3 * 2.3
		tries = 10
		least = time.Millisecond // below this nothing is told apart from the clock
		noise = 5 * time.Millisecond
	)
	for _, c := range growthCases() {
		small, large := c.input(n), c.input(times*n)
		limit := most * float64(len(large)) / float64(len(small)) / times
		var a, b usage
		for try := range tries {
			a, b = a.least(measured(func() { c.run(small) })), b.least(measured(func() { c.run(large) }))
			if b.cpu < noise || b.cpu.Seconds() <= limit*max(a.cpu, least).Seconds() {
				break
			}
			if try == tries-1 {
				t.Errorf("%.60q: %v for %d octets, %v for %d", c.name, a.cpu, len(small), b.cpu, len(large))
			}
		}
		if b.bytes > 4<<20 && float64(b.bytes) > limit*float64(a.bytes) {
			t.Errorf("%.60q: %d KB of memory for %d octets, %d KB for %d", c.name, a.bytes>>10, len(small), b.bytes>>10, len(large))
		}
		if b.bytes > 1000*uint64(len(large)) {
			t.Errorf("%.60q: %d KB of memory for %d octets", c.name, b.bytes>>10, len(large))
		}
	}
}

type usage struct {
	cpu   time.Duration
	bytes uint64
}

func (u usage) least(v usage) usage {
	if u.cpu == 0 {
		return v
	}
	return usage{min(u.cpu, v.cpu), min(u.bytes, v.bytes)}
}

// measured is what f takes of the processor and allocates.
func measured(f func()) usage {
	runtime.GC() // what earlier runs left is used again: new memory costs the system time
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processTime()
	f()
	took := processTime() - start
	runtime.ReadMemStats(&after)
	return usage{max(took, time.Microsecond), after.TotalAlloc - before.TotalAlloc}
}

func processTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()) // each alone is an estimate
}
