// Package terms turns what is known of a message into the words under which it
// is found, and what someone looks for into conditions on them. Both stores index
// these words as they are, so that they answer alike.
package terms
