package mime

import "strings"

// isResent reports the Resent fields that hold addresses (RFC 5322 section 3.6.6).
func isResent[T string | []byte](name T) bool {
	for _, r := range resentNames {
		if sameName(name, r) {
			return true
		}
	}
	return false
}

// resentNames are the recipients' fields in the order of addressNames, then the senders'.
var resentNames = [...]string{"Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-From", "Resent-Sender"}

// mails reports the fields of recipients, which may make an envelope: an entry
// of theirs that names two addresses must still show that when they are read again.
func mails(name []byte) bool {
	switch kindOf(name) {
	case kindTo, kindCc, kindBcc, kindResentBcc:
		return true
	}
	return sameName(name, "Resent-To") || sameName(name, "Resent-Cc")
}

// namedList is an address list and the field that it is of.
type namedList struct {
	name string
	list *addrList
}

// HeaderRecipients are the recipients of a message that comes without an
// envelope, each once: those of To, Cc and Bcc, or, where the
// message was sent again, those of the latest Resent-To, Resent-Cc and
// Resent-Bcc alone (RFC 5322 section 3.6.6). An entry that is no address, or
// names two of them, is an *Error that quotes it: half an envelope is none.
func (m *Message) HeaderRecipients() ([]Mailbox, error) {
	lists, resent := m.resent()
	if !resent {
		if bad := m.BadAddresses(); len(bad) > 0 {
			return nil, bad[0]
		}
		for k := kindTo; k <= kindBcc; k++ {
			if l := m.lists[k]; l != nil {
				if b := l.unclear(); b != nil {
					return nil, errUnclear(addressNames[k], b)
				}
			}
		}
		return m.Recipients(), nil
	}
	var out []Mailbox
	seen := map[Mailbox]bool{}
	for _, l := range lists[:3] {
		if b := l.list.unclear(); b != nil {
			return nil, errUnclear(l.name, b)
		}
		for i := range l.list.boxes {
			b := &l.list.boxes[i]
			if b.bad {
				return nil, badEntry(l.name, b)
			}
			if !seen[b.addr.Address] {
				seen[b.addr.Address] = true
				out = append(out, b.addr.Address)
			}
		}
	}
	return out, nil
}

// HeaderSender is the envelope sender of a message that comes without an
// envelope: who sent it again last (Resent-Sender, Resent-From), else Sender,
// else From; none where none of them holds an address.
func (m *Message) HeaderSender() Mailbox {
	var all []Address
	if lists, resent := m.resent(); resent {
		all = append(lists[4].list.addresses(), lists[3].list.addresses()...)
	}
	if all = append(append(all, m.Sender()...), m.From()...); len(all) > 0 {
		return all[0].Address
	}
	return Mailbox{}
}

// Envelope is the envelope of a message that comes without one: HeaderSender and
// HeaderRecipients. A message without any recipient is an *Error ("no_recipients").
func (m *Message) Envelope() (Envelope, error) {
	all, err := m.HeaderRecipients()
	if err != nil {
		return Envelope{}, err
	}
	if len(all) == 0 {
		return Envelope{}, errNoRecipients()
	}
	env := Envelope{From: m.HeaderSender(), Recipients: make([]Recipient, len(all))}
	for i, r := range all {
		env.Recipients[i].Address = r
	}
	return env, nil
}

// ResentBy are those who sent the message again last: Resent-From and
// Resent-Sender of the latest block. None where it was not sent again.
func (m *Message) ResentBy() []Address {
	lists, resent := m.resent()
	if !resent {
		return nil
	}
	return append(lists[3].list.addresses(), lists[4].list.addresses()...)
}

// resent reads the latest block of Resent fields, in the order of resentNames.
// Every re-sending puts its block above the earlier ones (RFC 5322 section
// 3.6.6): a second Resent-From, Resent-Date, Resent-Sender or Resent-Message-ID,
// or a Received field after the block, begins an earlier one: its recipients
// have had theirs.
func (m *Message) resent() (lists []namedList, found bool) {
	var once [4]bool
	var p addrParser
	for _, f := range m.head.fields {
		name := m.head.name(f)
		if found && sameName(name, "Received") {
			break
		}
		if len(name) < len("Resent-") || !sameName(name[:len("Resent-")], "Resent-") {
			continue
		}
		if again(&once, name) {
			break
		}
		for i, r := range resentNames {
			if !sameName(name, r) {
				continue
			}
			if !found {
				found = true
				for _, n := range resentNames {
					lists = append(lists, namedList{n, &addrList{}})
				}
			}
			p.parse(lists[i].list, m.head.value(f), m.lim.Recipients)
		}
	}
	return lists, found
}

// again notes a field that a block has once and reports the second one.
func again(once *[4]bool, name []byte) bool {
	for i, r := range [...]string{"From", "Date", "Sender", "Message-ID"} {
		if strings.EqualFold(string(name[len("Resent-"):]), r) {
			was := once[i]
			once[i] = true
			return was
		}
	}
	return false
}
