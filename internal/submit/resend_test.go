package submit

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// again sends a stored message once more over a connection.
func (w *world) again(m *store.Message, parts ...ResendPart) (Result, error) {
	w.t.Helper()
	return w.Resend(w.t.Context(), Resend{Message: m, EntryPoint: "api", Parts: parts})
}

// A message that is sent once more is another one with the same content: only
// Message-ID and Date are new.
func TestResend(t *testing.T) {
	t.Parallel()
	signed := "MIME-Version: 1.0\nContent-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=b"
	parts := "--b\r\nContent-Type: text/plain\r\n\r\nciao  \r\n--b\r\nContent-Type: application/pkcs7-signature; " +
		"name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--b--\r\n"
	for name, c := range map[string]letter{
		"plain": {},
		"with its own": {head: "Date: Sun, 22 Nov 2026 10:00:00 +0100\nFrom: erp@contoso.it\nMessage-ID: <1@contoso.it>\nTo: " +
			"anna@example.com\nSubject: Fattura\nX-Odd: kept as it is"},
		"an id that is none": {head: "From: erp@contoso.it\nMessage-ID: 17\nTo: anna@example.com\nSubject: s"},
		"hidden recipients": {head: "From: erp@contoso.it\nTo: anna@example.com\nBcc: b@example.com\nSubject: s",
			to: []string{"anna@example.com", "b@example.com"}},
		"signed":                   {head: "From: erp@contoso.it\nTo: anna@example.com\n" + signed, body: parts},
		"null sender":              {sender: "<>"},
		"a body in a file":         {body: strings.Repeat(strings.Repeat("y", 70)+"\r\n", 20000)},
		"many recipients in parts": {to: recipients(1200)},
	} {
		for _, conn := range []*gateway.Connection{graphConn("main", "erp@contoso.it", nil), smtpConn("main", "erp@contoso.it", nil)} {
			t.Run(name+" "+string(conn.Provider), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(o *Options) { o.Installation, o.Events = "4711", true }, conn)
				l := c
				l.Unheard = true
				first, ref := w.take(l)
				if ref != nil {
					t.Fatal(ref)
				}
				m, dd := w.stored(first.ID)
				var asked []ResendPart
				for i := range dd {
					p := ResendPart{Connection: w.conns["main"]}
					for _, r := range dd[i].Recipients {
						p.Recipients = append(p.Recipients, r.Recipient)
					}
					asked = append(asked, p)
				}
				second, err := w.again(m, asked...)
				if err != nil {
					t.Fatal(err)
				}
				m2, dd2 := w.stored(second.ID)
				if m2.ID == m.ID || m2.ResentOf != m.ID || m2.MessageID == m.MessageID || m2.MessageID != second.MessageID ||
					!strings.HasSuffix(m2.MessageID, "@mx.contoso.it>") {
					t.Errorf("record %+v of %+v", m2, m)
				}
				if m2.Envelope.From != m.Envelope.From || len(m2.Envelope.Recipients) != len(m.Envelope.Recipients) || m2.Subject != m.Subject ||
					m2.Client != m.Client {
					t.Errorf("record %+v of %+v", m2, m)
				}
				if len(dd2) != len(dd) || dd2[0].WarnAt.IsZero() || dd2[0].Route != dd[0].Route {
					t.Errorf("deliveries %+v, before %+v", dd2, dd)
				}
				own := regexp.MustCompile(`(?m)^(Message-ID|Date): .*\r\n`)
				one, two := w.raw(first.ID), w.raw(second.ID)
				head, body, _ := strings.Cut(one, "\r\n\r\n")
				head2, body2, _ := strings.Cut(two, "\r\n\r\n")
				if body != body2 {
					t.Error("another body")
				}
				if got, want := own.ReplaceAllString(head2+"\r\n", ""), own.ReplaceAllString(head+"\r\n", ""); got != want {
					t.Errorf("header\n%s\nwas\n%s", got, want)
				}
				read, err := mime.Read(mime.Bytes([]byte(two)), mime.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				date, ok := mime.ParseDate(read.Get("Date"))
				if !ok || time.Since(date) > time.Hour || len(own.FindAllString(head2+"\r\n", -1)) != 2 {
					t.Errorf("Message-ID and Date in\n%s", head2)
				}
				// The first one is not heard of yet: the client that tries again gets
				// that one's id, and one that repeats what was sent again is no repeat of it.
				third, ref := w.take(l)
				if ref != nil || l.head != "" && strings.Contains(l.head, "Date:") && third.ID != first.ID {
					t.Errorf("the client again: %v %v", third.ID, ref)
				}
				events, err := w.store.Events(t.Context(), 0, 10, "", nil)
				if err != nil || len(events) < 2 || !strings.Contains(string(events[1].Data), `"resent_of":"`+m.ID.String()+`"`) {
					t.Errorf("events %+v, %v", events, err)
				}
				if _, err := w.again(m2, asked...); err != nil {
					t.Errorf("once more: %v", err)
				}
			})
		}
	}
}

// What is sent again to some, over another connection, is for those alone, in
// the parts that this one takes; a null sender over an API is marked.
func TestResendElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, smtpConn("main", "erp@contoso.it", nil), graphConn("other", "erp@contoso.it", nil))
	first, ref := w.take(letter{sender: "<>", to: recipients(1200), Request: Request{Connection: "main"}})
	if ref != nil {
		t.Fatal(ref)
	}
	m, _ := w.stored(first.ID)
	asks := &store.Client{ID: "asks", PerMinute: 3}
	if err := w.Allow(asks, 1); err != nil {
		t.Fatal(err)
	}
	res, err := w.Resend(t.Context(), Resend{Client: asks, Message: m, EntryPoint: "api",
		Parts: []ResendPart{{w.conns["other"], m.Envelope.Recipients[:1100]}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Allow(asks, 1); err == nil {
		t.Error("the three deliveries it was split into count as one")
	}
	m2, dd := w.stored(res.ID)
	if len(m2.Envelope.Recipients) != 1100 || len(dd) != 3 || dd[0].Route.Connection != w.conns["other"].ID {
		t.Errorf("%d recipients in %d deliveries", len(m2.Envelope.Recipients), len(dd))
	}
	if raw := w.raw(res.ID); !strings.Contains(raw, "\r\nAuto-Submitted: auto-generated\r\n") {
		t.Errorf("not marked:\n%s", raw)
	}
}

func TestResendRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, smtpConn("main", "erp@contoso.it", nil))
	first, ref := w.take(letter{})
	if ref != nil {
		t.Fatal(ref)
	}
	m, dd := w.stored(first.ID)
	part := ResendPart{w.conns["main"], m.Envelope.Recipients}
	if _, err := w.again(m); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("to no one: %v", err)
	}
	if _, err := w.again(&store.Message{ID: m.ID}, part); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a record that is corrupt: %v", err)
	}
	later := time.Now().Add(time.Hour)
	if _, err := w.store.Act(t.Context(), store.Action{Verb: store.DoCancel, Now: time.Now(), Deliveries: []store.ID{dd[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Purge(t.Context(), store.PurgeRequest{Now: later, Bodies: later}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.again(m, part); !errors.Is(err, store.ErrGone) {
		t.Errorf("bytes are gone: %v", err)
	}
}
