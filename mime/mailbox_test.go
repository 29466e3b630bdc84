package mime

import (
	"encoding/json"
	"reflect"
	"testing"
)

// mailbox is the Mailbox of an address that a test writes down; none where it is
// no address.
func mailbox(addr string) Mailbox {
	m, err := ParseMailbox(addr)
	if err != nil {
		return Mailbox{}
	}
	return m
}

// mailboxes is mailbox for several.
func mailboxes(addrs ...string) []Mailbox {
	out := make([]Mailbox, len(addrs))
	for i, a := range addrs {
		out[i] = mailbox(a)
	}
	return out
}

// addrSpecs are the addresses as texts.
func addrSpecs(list []Mailbox) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.String()
	}
	return out
}

// In JSON a mailbox is the string that it was before it had a type: what one
// version stored another reads.
func TestMailboxJSON(t *testing.T) {
	t.Parallel()
	const doc = `{"From":"erp@contoso.it","Recipients":[{"address":"\"a b\"@xn--mnchen-3ya.de","notify":["NEVER"]}],"EnvID":"","Ret":"HDRS"}`
	env := Envelope{From: mailbox("erp@contoso.it"), Ret: RetHeaders,
		Recipients: []Recipient{{Address: mailbox(`"a b"@MÜNCHEN.de`), Notify: []Notify{NotifyNever}}}}
	if b, err := json.Marshal(env); err != nil || string(b) != doc {
		t.Errorf("%s, %v, want %s", b, err, doc)
	}
	var back Envelope
	if err := json.Unmarshal([]byte(doc), &back); err != nil || !reflect.DeepEqual(back, env) {
		t.Errorf("%+v, %v, want %+v", back, err, env)
	}
	if err := json.Unmarshal([]byte(`{"From":""}`), &back); err != nil || !back.From.IsZero() {
		t.Errorf("the null sender: %q, %v", back.From, err)
	}
	if err := json.Unmarshal([]byte(`{"From":"a@b.it>\r\nDATA"}`), &back); err == nil {
		t.Errorf("%q passed", back.From)
	}
	m := env.Recipients[0].Address
	if m.Local() != `"a b"` || m.Domain() != "xn--mnchen-3ya.de" || !m.IsASCII() || mailbox("A@x.it").Folded() != "a@x.it" {
		t.Errorf("%q: local %q, domain %q", m, m.Local(), m.Domain())
	}
}
