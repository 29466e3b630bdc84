package mime

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode"
)

// TestOneReader reads each entry in all the ways that one comes in: who is
// refused in one way is refused in all, and who is read has one name and address.
func TestOneReader(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"anna@example.com": "|anna@example.com", "Anna Rossi <anna@example.com>": "Anna Rossi|anna@example.com",
		"=?windows-1252?Q?Caff=E8?= <a@example.com>": "Caffè|a@example.com", "=?utf8?q?Caff=C3=A8?= <a@example.com>": "Caffè|a@example.com",
		"=?koi8-r?B?8NLJ18XU?= <a@example.com>":   "Привет|a@example.com",
		"info@example.com <info@example.com>":     "info@example.com|info@example.com",
		"=?utf-8?Q?Rossi,_Anna?= <a@example.com>": "Rossi, Anna|a@example.com", "=?utf-8?Q?a@b.it?= <a@example.com>": "a@b.it|a@example.com",
		"=?utf-8?Q?R;_<x>_(y)?= =?utf-8?Q?_z?= <a@example.com>": "R; <x> (y) z|a@example.com",
		`"Rossi, Anna" <a@example.com>`:                         "Rossi, Anna|a@example.com",
		"a@example.com (Anna)":                                  "Anna|a@example.com", "anna . rossi @ example . com": "|anna.rossi@example.com",
		`"anna".rossi@example.com`: "|anna.rossi@example.com",
		// Words without a dot between them are not one address.
		"Anna Rossi anna@example.com": "", `"Rossi, Anna" anna@example.com`: "", "anna@example.com Anna": "", "anna@exam ple.com": "",
		`"anna"rossi@example.com`:  "",
		"anna(c)rossi@example.com": "", "anna@example(c)com": "", "anna@example.com b@example.com": "", `"a.""b"@example.com`: "",
		`"".a@example.com`: "", `."a b"@example.com`: "", `"a b"..c@example.com`: "",
		"anna@[127.0.0.1] x": "", "Contoso <erp@contoso.it": "", "scanner": "", "Ufficio <ufficio>": "", "anna@example.com>": "",
		// Invisible characters go at the edges and are refused inside.
		"\u200banna@example.com": "|anna@example.com", "anna@example.com\u00a0": "|anna@example.com",
		"<\u202aanna@example.com\u202c>": "|anna@example.com",
		"Anna <anna@example.com>\u2003":  "Anna|anna@example.com", "\u2060 <\U000E0041anna@example.com\uFE0F>": "|anna@example.com",
		"\ufeffanna@example.com\u00ad": "|anna@example.com",
		"an\u200bna@example.com":       "", "anna\u200b@example.com": "", "anna@\u00adexample.com": "", "anna@exam\u00adple.com": "",
		"anna@example\u2060.com":     "",
		"\"an\u00a0na\"@example.com": "", "an\U000E0061na@example.com": "", "an\ufe0fna@example.com": "", "anna@exa\u3164mple.com": "",
		"an\u202ena@example.com": "",
	} {
		got := ""
		a, err := ParseAddress(in)
		if err == nil {
			got = a.Name + "|" + a.Address.String()
		}
		if got != want {
			t.Errorf("ParseAddress %q: %q %v, want %q", in, got, err, want)
		}
		if entries := SplitAddresses(in + ", x@y.z"); want != "" && (len(entries) != 2 || entries[1] != "x@y.z") {
			t.Errorf("SplitAddresses %q: %q", in, entries)
		}
		m, herr := Accept(Bytes([]byte("From: "+in+"\r\nTo: b@x.it\r\n\r\n")), acceptOptions(false))
		if (err == nil) != (herr == nil) {
			t.Errorf("%q: as text %v, as From %v", in, err, herr)
		} else if err == nil && fmt.Sprint(m.From()) != fmt.Sprint([]Address{a}) {
			t.Errorf("%q: as text %v, as From %v", in, a, m.From())
		}
		if bare, nerr := ParseMailbox(in); nerr == nil && (err != nil || bare != a.Address) {
			t.Errorf("%q: as text %v %v, as path %s", in, a, err, bare)
		}
		if err == nil {
			if again, err := ParseAddress(a.String()); err != nil || again != a {
				t.Errorf("%q: written %q and read again %v %v", in, a.String(), again, err)
			}
		}
	}
	for _, in := range []string{"", " ", ",", "<>", `"" <>`, "\u200b", "()", "a@x.it, b@x.it"} {
		if a, err := ParseAddress(in); err == nil {
			t.Errorf("ParseAddress %q: %v", in, a)
		}
	}
	for _, in := range []string{"a@x.it\r\nBcc: b@x.it", "a@x.it\nb@x.it", "a\x00@x.it", "A\r <a@x.it>"} {
		if a, err := ParseAddressList(in); err == nil {
			t.Errorf("ParseAddressList %q: %v", in, a)
		}
	}
	if list, err := ParseAddressList("a@x.it; Team: B <b@x.it>,\r\n c@x.it;, <>,"); err != nil ||
		fmt.Sprint(list) != "[a@x.it B <b@x.it> c@x.it]" {
		t.Errorf("list: %v, %v", list, err)
	}
}

// TestBadAddressSaysWhy: the part that cannot be read is quoted, an invisible
// character named.
func TestBadAddressSaysWhy(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"From: Contoso <erp@contoso.it\r\n\r\n":                 `From contains "Contoso <erp@contoso.it", which is no mail address`,
		"From: a@x.it, scanner\r\n\r\n":                         `From contains "scanner"`,
		"From: an\u200bna@x.it\r\n\r\n":                         "invisible character U+200B",
		"From: a@x.it, b@x.it\r\nSender: Uff <uff>\r\n\r\n":     `Sender contains "Uff <uff>"`,
		"From: \"open " + strings.Repeat("x", 500) + "\r\n\r\n": `From contains "\"open xxxx`,
		"From: \r\n\r\n": "From field holds no address", "To: a@x.it\r\n\r\n": "no From field",
	} {
		_, err := Accept(Bytes([]byte(in)), acceptOptions(false))
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
		m := mustRead(t, in)
		if e := m.CheckFrom(); !strings.Contains(in, "Sender") && (e == nil || !strings.Contains(e.Error(), want)) {
			t.Errorf("CheckFrom %q: %v", in, e)
		}
	}
}

// standsIn reports that in holds the address addr as text: local part and
// domain with an @ between, where quotes, white space, comments and the letter
// case of the domain say nothing (RFC 5322 section 3.2, 4.4).
func standsIn(in, addr string) bool {
	bare := func(s string) string {
		return strings.ToLower(strings.Map(func(r rune) rune {
			if r == '"' || r == '\\' || unicode.IsSpace(r) {
				return -1
			}
			return r
		}, s))
	}
	return strings.Contains(bare(withoutComments(in)), bare(addr))
}

func withoutComments(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '(' {
			if n := commentEnd(s[i:]); n > 0 {
				i += n - 1
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// invented finds the addresses of a list that its text does not hold. Domains
// and address literals that are written in another form are left out: they are
// compared by their normal form elsewhere.
func invented(in string, list []Address) (out []string) {
	for _, a := range list {
		if strings.Contains(a.Address.String(), "@xn--") || strings.Contains(a.Address.String(), ".xn--") ||
			strings.HasSuffix(a.Address.String(), "]") {
			continue
		}
		if !standsIn(in, a.Address.String()) {
			out = append(out, a.Address.String())
		}
	}
	return out
}

// TestNothingIsInvented: no address is made of words that no one wrote as one
// (design rule: tolerance may drop, never make up). Each header is put together
// from pieces in every order.
func TestNothingIsInvented(t *testing.T) {
	t.Parallel()
	pieces := []string{"Anna", `"Rossi, A"`, "anna@example.com", "<b@example.com>", "@", ".", "example.com", "(c)", ",", "a.b", "\u200b", ":",
		";", "=?utf-8?q?x,y?="}
	seps := []string{"", " ", "\r\n "}
	n := len(pieces)
	for i := range n * n * n * n {
		sep := seps[i%len(seps)]
		in := pieces[i%n] + sep + pieces[i/n%n] + sep + pieces[i/n/n%n] + sep + pieces[i/n/n/n]
		l := readList(in)
		if bad := invented(in, l.addresses()); bad != nil {
			t.Fatalf("%q gives %q", in, bad)
		}
		for _, a := range l.addresses() { // and word by word: with the white space that stands there
			if flat := strings.ToLower(strings.ReplaceAll(withoutComments(unfold([]byte(in))), "\u200b", "")); !strings.Contains(
				dotted(noQuotes(flat)), strings.ToLower(noQuotes(a.Address.String()))) {
				t.Fatalf("%q gives %q", in, a.Address)
			}
		}
	}
}

func noQuotes(s string) string { return strings.ReplaceAll(s, `"`, "") }

// dotted takes out what RFC 5322 section 4.4 allows around dots and the @.
func dotted(s string) string {
	for _, sign := range []string{".", "@"} {
		for strings.Contains(s, " "+sign) || strings.Contains(s, sign+" ") {
			s = strings.ReplaceAll(strings.ReplaceAll(s, " "+sign, sign), sign+" ", sign)
		}
	}
	return s
}

func FuzzParseAddressList(f *testing.F) {
	for _, s := range []string{"Anna Rossi anna@example.com", `"Rossi, Anna" anna@example.com, b@x.it`,
		"=?utf-8?Q?Rossi,_Anna?= <a@x.it>; Team: b@x.it;", "\u200ba@x.it\u00a0",
		"a . b @ x . it", `"a"."b c"@x.it`, "<@r.x:a@x.it>", "a(x)@x.it (y)", "=?a?q?,=?a?q?x?= <a@x.it>", "printer@x.it <printer@x.it>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		list, err := ParseAddressList(in)
		if err != nil {
			mustBeOwn(t, err)
			return
		}
		if bad := invented(strings.ReplaceAll(in, "\r\n", ""), list); bad != nil {
			t.Errorf("%q gives %q", in, bad)
		}
		for _, a := range list {
			if n, err := ParseMailbox(a.Address.String()); err != nil || n != a.Address || firstInvisible(n.String()) != 0 {
				t.Errorf("%q gives %q: %q, %v", in, a.Address, n, err)
			}
			if again, err := ParseAddress(a.String()); err != nil || again.Address != a.Address {
				t.Errorf("%q: %v is written %q and read %v, %v", in, a, a.String(), again, err)
			}
		}
	})
}

// Memory is in proportion to the text, whatever its bytes are: not parallel,
// because it is measured.
func TestAddressMemory(t *testing.T) {
	for _, piece := range []string{"a:", "a:;", ":", "<", "@", "\\", "a b", "<>", "()", "a@", "=?", "a;", ","} {
		text := strings.Repeat(piece, 1<<18/len(piece))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseAddress(text)
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; err == nil || took > 8 {
			t.Errorf("256 KiB of %q: %d MiB, %v", piece, took, err != nil)
		}
	}
	for _, name := range []string{strings.Repeat("a ", maxTokens), strings.Repeat("a ", maxTokens/2)} {
		_, err := ParseAddress(name + "<anna@example.com>")
		if (err == nil) != (len(name) < maxTokens*2) {
			t.Errorf("a name of %d words: %v", len(name)/2, err)
		}
	}
}
