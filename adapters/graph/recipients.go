package graph

// DefaultRecipients is how many recipients a mailbox takes in one message
// unless its administrator changed it.
const DefaultRecipients = 500

// contracts B7.11: both figures

// MaxRecipients is how many recipients one message should have: larger
// envelopes are split before they come here.
func (a *Adapter) MaxRecipients() int { return DefaultRecipients }
