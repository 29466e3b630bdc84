package app

import (
	"context"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// inTransactions is an adapter that sends as sendAll does.
type inTransactions struct{ adapters.Adapter }

func (t inTransactions) Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	return sendAll(ctx, t.Adapter, out)
}

// sendAll sends out in as many transactions as the server wants: it may take
// only so many recipients in one (RFC 5321 section 4.5.3.1.10, contracts D5).
// The receipt is of the first, with the results of all recipients. Once somebody
// has the message, or may have it, what goes wrong is the result of those who have
// not: whoever tries again must not mail all. Those whom the first transaction did
// not take for their number alone surely have not, though it ended unknown.
func sendAll(ctx context.Context, a adapters.Adapter, out adapters.Outgoing) (adapters.Receipt, error) {
	receipt, err := a.Send(ctx, out)
	left := tooMany(receipt)
	if err != nil {
		failure := adapters.AsError(err)
		if failure.Class != adapters.Unknown || len(left) == 0 {
			return receipt, err
		}
		for i := range receipt.Recipients {
			if rr := &receipt.Recipients[i]; rr.Err == nil {
				rr.Err = failure
			}
		}
	}
	for ; ; left = tooMany(receipt) {
		if len(left) == 0 || len(left) == len(out.Envelope.Recipients) {
			return receipt, nil
		}
		known := map[mime.Mailbox]mime.Recipient{}
		for _, r := range out.Envelope.Recipients {
			known[r.Address] = r
		}
		out.Envelope.Recipients = nil
		for _, i := range left {
			out.Envelope.Recipients = append(out.Envelope.Recipients, known[receipt.Recipients[i].Address])
		}
		next, err := a.Send(ctx, out)
		results := map[mime.Mailbox]*adapters.Error{}
		for _, r := range next.Recipients {
			results[r.Address] = r.Err
		}
		for _, i := range left {
			rr := &receipt.Recipients[i]
			if rr.Err = results[rr.Address]; rr.Err == nil && err != nil { // of those who have no error of their own
				rr.Err = adapters.AsError(err)
			}
		}
		if err != nil {
			return receipt, nil //nolint:nilerr // it is the result of those recipients
		}
	}
}

// tooMany are the places in the receipt of recipients whom the server did not take for their number alone.
func tooMany(r adapters.Receipt) (left []int) {
	for i, rr := range r.Recipients {
		if rr.Err != nil && rr.Err.Class == adapters.Transient && rr.Err.Enhanced == "4.5.3" {
			left = append(left, i)
		}
	}
	return left
}
