package app

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
)

// A narrow server takes so many recipients in one transaction, and fails from a
// transaction on.
type narrow struct {
	adapters.Adapter
	most  int
	fails int // the number of the transaction that fails, from 1; 0: none
	begun int
	taken [][]string
}

func (n *narrow) Send(_ context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	lost := &adapters.Error{Class: adapters.Unknown, Code: "lost"}
	n.begun++
	fails := n.begun == n.fails
	var r adapters.Receipt
	var took []string
	for _, rcpt := range out.Envelope.Recipients {
		result := adapters.RecipientResult{Address: rcpt.Address}
		switch {
		case rcpt.Address.String() == "unknown@example.com":
			result.Err = &adapters.Error{Class: adapters.Permanent, Enhanced: "5.1.1"}
		case len(took) == n.most:
			result.Err = &adapters.Error{Class: adapters.Transient, Enhanced: "4.5.3"}
		default:
			took = append(took, rcpt.Address.String())
			if fails {
				result.Err = lost
			}
		}
		r.Recipients = append(r.Recipients, result)
	}
	if fails {
		return r, lost
	}
	n.taken = append(n.taken, took)
	return r, nil
}

func TestSendAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		recipients, most, fails int
		transactions, left      int
		unsure                  int // of those left: they may have been mailed
	}{
		{recipients: 5, most: 10, transactions: 1},
		{recipients: 25, most: 10, transactions: 3},
		{recipients: 20, most: 10, transactions: 2},
		{recipients: 5, most: 0, transactions: 2, left: 5},                          // nothing moves: it ends
		{recipients: 25, most: 10, fails: 1, transactions: 2, left: 10, unsure: 10}, // the other 15 were not in the first
		{recipients: 25, most: 10, fails: 2, transactions: 1, left: 15, unsure: 10}, // the last 5 were not in it
	} {
		a := &narrow{most: c.most, fails: c.fails}
		out := adapters.Outgoing{Envelope: mime.Envelope{Recipients: []mime.Recipient{{Address: mailboxtest.Of("unknown@example.com")}}}}
		for i := range c.recipients {
			out.Envelope.Recipients = append(out.Envelope.Recipients,
				mime.Recipient{Address: mailboxtest.Of(fmt.Sprintf("r%d@example.com", i))})
		}
		r, err := sendAll(t.Context(), a, out)
		if err != nil || len(r.Recipients) != c.recipients+1 {
			t.Errorf("%+v: %d results, %v", c, len(r.Recipients), err)
		}
		left, unsure, all := 0, 0, slices.Concat(a.taken...)
		for _, rr := range r.Recipients[1:] {
			if rr.Err != nil {
				left++
				if rr.Err.Class == adapters.Unknown {
					unsure++
				}
			}
		}
		if r.Recipients[0].Err == nil || left != c.left ||
			unsure != c.unsure || len(a.taken) != c.transactions || len(all) != c.recipients-c.left {
			t.Errorf("%+v: %d left, %d unsure, taken %q", c, left, unsure, a.taken)
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != c.recipients-c.left {
			t.Errorf("%+v: somebody was mailed twice: %q", c, a.taken)
		}
	}
}
