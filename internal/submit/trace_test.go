package submit

import (
	"strings"
	"testing"
)

const ourTrace = "Received: by mx.contoso.it (postino 0123456789ab)\n\twith ESMTP; Sun, 29 Nov 2026 10:00:00 +0000\n"

// Mail that comes back ends: our own trace, or too many servers' of others,
// over any entry point. What only looks like it does not.
func TestMailThatComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Installation = "0123456789ab" }, smtpConn("relay", "erp@contoso.it", nil))
	const plain = "From: erp@contoso.it\nTo: anna@example.com\nSubject: Fattura"
	hop := "Received: from a.example by b.example; Sun, 29 Nov 2026 10:00:00 +0000\n"
	for name, c := range map[string]struct {
		head, body string
		loop       bool
	}{
		"new":                       {head: plain},
		"our own":                   {head: ourTrace + plain, loop: true},
		"our own below others":      {head: strings.Repeat(hop, 3) + ourTrace + plain, loop: true},
		"our own, folded otherwise": {head: "received : by x (postino\n 0123456789ab) with ESMTP;\n date\n" + plain, loop: true},
		"another gateway's":         {head: strings.ReplaceAll(ourTrace, "0123456789ab", "ba9876543210") + plain},
		"sent on by a person":       {head: hop + "Resent-From: erp@contoso.it\nResent-To: b@example.com\n" + ourTrace + plain},
		"sent on, and back":         {head: ourTrace + "Resent-From: erp@contoso.it\n" + ourTrace + plain, loop: true},
		"fifty servers":             {head: strings.Repeat(hop, 50) + plain},
		"more than fifty":           {head: strings.Repeat(hop, 51) + plain, loop: true},
		"in an attached message": {head: plain + "\nMIME-Version: 1.0\nContent-Type: message/rfc822",
			body: strings.ReplaceAll(ourTrace+plain, "\n", "\r\n") + "\r\n\r\nciao\r\n"},
		"in the text":                 {head: plain, body: strings.ReplaceAll(ourTrace, "\n", "\r\n")},
		"in another field":            {head: "X-" + ourTrace + plain},
		"in the continuation of one":  {head: "X-Note: a\n\tReceived: (postino 0123456789ab)\n" + plain},
		"a name that only looks like": {head: "Received-SPF: pass (postino 0123456789ab)\n" + plain},
	} {
		for _, entry := range []string{"smtp", "api", "sendmail", "pickup"} {
			b, r := w.request(letter{head: c.head, body: c.body})
			r.EntryPoint = entry
			_, err := w.Submit(t.Context(), r)
			closed(t, b)
			ref := AsRefusal(err)
			if c.loop != (ref != nil) || ref != nil && (ref.SMTP != 554 || ref.Enhanced != "5.4.6" || ref.Hint.In("it") == "") {
				t.Errorf("%s by %s: %v", name, entry, ref)
			}
		}
	}
}

// Two gateways that point at each other: the message makes one round.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	a := newWorld(t, func(o *Options) { o.Installation = "aaaaaaaaaaaa" }, smtpConn("b", "erp@contoso.it", nil))
	b := newWorld(t, func(o *Options) { o.Installation = "bbbbbbbbbbbb" }, smtpConn("a", "erp@contoso.it", nil))
	raw, rounds := "", 0
	for i, w := range []*world{a, b, a, b, a} {
		head, body, _ := strings.Cut(raw, "\r\n\r\n")
		res, ref := w.take(letter{head: strings.ReplaceAll(head, "\r\n", "\n"), body: body, to: []string{"anna@example.com"}})
		if ref != nil {
			if ref.Code != "loop" {
				t.Fatal(ref)
			}
			break
		}
		raw, rounds = w.raw(res.ID), i+1
	}
	if rounds != 2 {
		t.Errorf("the message was taken %d times, want 2", rounds)
	}
}

// The trace names this gateway and how the message came, and nothing of who
// handed it over; the rest of the message is as it was.
func TestTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Installation = "0123456789ab" }, smtpConn("relay", "erp@contoso.it", nil))
	plain := newWorld(t, nil, smtpConn("relay", "erp@contoso.it", nil))
	const head = "DKIM-Signature: v=1; d=contoso.it\nDate: Sun, 29 Nov 2026 10:00:00 +0000\nMessage-ID: <1@contoso.it>\nMIME-Version: " +
		"1.0\nFrom: erp@contoso.it\nTo: anna@example.com\nSubject: x"
	for proto, r := range map[string]Request{"SMTP": {EntryPoint: "smtp"}, "ESMTPSA": {EntryPoint: "smtp", Protocol: "ESMTPSA"},
		"HTTP": {EntryPoint: "api"}, "local": {EntryPoint: "pickup"}} {
		b, req := w.request(letter{head: head})
		req.EntryPoint, req.Protocol = r.EntryPoint, r.Protocol
		res, err := w.Submit(t.Context(), req)
		closed(t, b)
		if err != nil {
			t.Fatal(err)
		}
		was, ref := plain.take(letter{head: head})
		if ref != nil {
			t.Fatal(ref)
		}
		raw := w.raw(res.ID)
		trace, rest, _ := strings.Cut(raw, "DKIM-Signature")
		if !strings.HasPrefix(trace, "Received: by mx.contoso.it (postino 0123456789ab)\r\n\twith "+proto+"; ") ||
			strings.Contains(trace, "from") {
			t.Errorf("%s: trace %q", proto, trace)
		}
		if "DKIM-Signature"+rest != plain.raw(was.ID) {
			t.Errorf("%s: the rest is %q", proto, rest)
		}
		m, _ := w.stored(res.ID)
		if m.Size != int64(len(raw)) || res.Size != m.Size {
			t.Errorf("%s: size %d and %d of %d", proto, m.Size, res.Size, len(raw))
		}
	}
}
