package control

// A Directory says who exists and who may send as whom. Where one is in force, an
// address that does not stand in it has no mailbox, and a sender without the right is
// refused.
type Directory struct {
	Mailboxes []Mailbox `json:"mailboxes"`
	People    []Person  `json:"people,omitempty"`   // accounts without a mailbox
	Unlisted  bool      `json:"unlisted,omitempty"` // every other address is a mailbox too, with the rights that it has without a directory
}

// A Mailbox is one mailbox at every provider.
type Mailbox struct {
	Address      string   `json:"address"`
	Name         string   `json:"name,omitempty"`
	Aliases      []string `json:"aliases,omitempty"`        // it may send from them, and mail to them is its own
	SendAs       []string `json:"send_as,omitempty"`        // further addresses that it may send as
	SendOnBehalf []string `json:"send_on_behalf,omitempty"` // addresses that it may send for; Sender then shows the mailbox
	// client ids of the applications that may use it; empty: all that have consent
	Applications []string `json:"applications,omitempty"`
	Password     string   `json:"password,omitempty"` // of SMTP; empty: the one that SMTPConnection returns
	// active (default), or how its providers refuse it: blocked, denied, disabled, full, moving, nolicense, onprem
	State string `json:"state,omitempty"`
}

// A Person is an account without a mailbox, or a recipient elsewhere.
type Person struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
}
