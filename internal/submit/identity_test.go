package submit

import (
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// What is the same message again, as long as its acceptance is unheard.
func TestResubmitted(t *testing.T) {
	t.Parallel()
	const head = "From: erp@contoso.it\nTo: anna@example.com\nSubject: Fattura\nMessage-ID: <1@contoso.it>"
	first := letter{head: head, to: []string{"anna@example.com", "ugo@example.com"}, Request: Request{Unheard: true}}
	never := 0
	for _, c := range []struct {
		name string
		l    letter
		same bool
	}{
		{"the same", first, true},
		{"recipients in another order, one twice", letter{head: head,
			to: []string{"ugo@example.com", "Anna@example.com", "ugo@example.com", "anna@EXAMPLE.com"}}, false},
		{"the same set", letter{head: head, to: []string{"ugo@example.com", "anna@example.com"}}, true},
		{"the sender's domain in capitals", letter{head: head, to: first.to, sender: "erp@CONTOSO.it"}, true},
		{"another recipient", letter{head: head, to: []string{"anna@example.com"}}, false},
		{"another sender", letter{head: head, to: first.to, sender: "other@contoso.it"}, false},
		{"another Message-ID", letter{head: "From: erp@contoso.it\nSubject: Fattura\nMessage-ID: <2@contoso.it>", to: first.to}, false},
		{"another body", letter{head: head, to: first.to, body: "hallo\r\n"}, false},
		{"another subject", letter{head: "From: erp@contoso.it\nSubject: Sollecito\nMessage-ID: <1@contoso.it>", to: first.to}, false},
		{"a file that another program wrote", letter{head: head, to: first.to, Request: Request{EntryPoint: "pickup", Distinct: true}}, false},
		{"another client", letter{head: head, to: first.to, Request: Request{Client: &store.Client{ID: "x"}}}, false},
		{"a client that wants none of it", letter{head: head, to: first.to, Request: Request{Client: &store.Client{ResubmitMinutes: &never}}},
			false},
	} {
		w := newWorld(t, nil, smtpConn("main", "erp@contoso.it", nil))
		one, ref := w.take(first)
		if ref != nil {
			t.Fatal(ref)
		}
		two, ref := w.take(c.l)
		if ref != nil {
			t.Fatalf("%s: %v", c.name, ref)
		}
		if two.Resubmitted != c.same || (two.ID == one.ID) != c.same {
			t.Errorf("%s: taken for the same: %v, want %v", c.name, two.Resubmitted, c.same)
		}
	}
}

// Without a Message-ID the Date tells; without both nothing does.
func TestResubmittedWithoutMessageID(t *testing.T) {
	t.Parallel()
	for head, same := range map[string]bool{
		"From: erp@contoso.it\nTo: anna@example.com\nDate: Sun, 29 Nov 2026 10:00:00 +0100": true,
		"From: erp@contoso.it\nTo: anna@example.com":                                        false,
	} {
		w := newWorld(t, nil, smtpConn("main", "erp@contoso.it", nil))
		l := letter{head: head, Request: Request{Unheard: true}}
		if _, ref := w.take(l); ref != nil {
			t.Fatal(ref)
		}
		two, ref := w.take(l)
		if ref != nil || two.Resubmitted != same {
			t.Errorf("%q: %v, %v", head, two.Resubmitted, ref)
		}
		w.Heard(two.Receipt)
		if three, ref := w.take(l); ref != nil || three.Resubmitted {
			t.Errorf("%q: after it was heard: %v, %v", head, three.Resubmitted, ref)
		}
	}
}

// What a mail server in between has numbered is two messages, however alike;
// its repeat of one of them is the same.
func TestResubmittedByMailServer(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"Date: Sun, 29 Nov 2026 10:00:00 +0100", "Message-ID: <1@contoso.it>"} {
		numbered := func(id string) letter {
			return letter{head: "Received: from erp by relay (Postfix) with ESMTP id " + id + "; Sun, 29 Nov 2026 10:00:00 +0100\n" +
				"From: erp@contoso.it\nTo: anna@example.com\n" + field, Request: Request{Unheard: true}}
		}
		w := newWorld(t, nil, smtpConn("main", "erp@contoso.it", nil))
		one, ref := w.take(numbered("4F1A"))
		if ref != nil {
			t.Fatal(ref)
		}
		if again, ref := w.take(numbered("4F1A")); ref != nil || !again.Resubmitted || again.ID != one.ID {
			t.Errorf("%s: the relay's repeat: %+v, %v", field, again, ref)
		}
		if two, ref := w.take(numbered("4F1B")); ref != nil || two.Resubmitted || two.ID == one.ID {
			t.Errorf("%s: the next message, alike but for the relay's number: %+v, %v", field, two, ref)
		}
	}
}
