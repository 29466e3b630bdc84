package store

import "testing"

// Signs that turn the direction of what follows are not kept.
func TestConversationIsVisible(t *testing.T) {
	t.Parallel()
	if s := Conversation("EHLO a\u202eb\u200f\u2028c"); s != "EHLO a b  c\n" {
		t.Errorf("%q", s)
	}
}
