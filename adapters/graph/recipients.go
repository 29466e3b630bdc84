package graph

// DefaultRecipients is how many recipients a mailbox takes in one message
// unless its administrator changed it (contracts B7.11).
const DefaultRecipients = 500

// MaxRecipients is how many recipients one message should have: larger
// envelopes are split before they come here.
func (a *Adapter) MaxRecipients() int { return DefaultRecipients }
