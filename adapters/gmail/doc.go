// Package gmail sends over the Gmail API with a service account that acts for
// a Workspace mailbox: one request for small messages, a resumable upload for
// large ones.
//
// Sending is written over plain HTTP. Google's client has no single-request
// upload of a raw message, replays the last chunk of a resumable one (the
// chunk that sends), and ignores Retry-After: each is a
// blind second send or a lost wait. Its types, its error parsing and its calls
// that send nothing are used.
package gmail

// contracts C, C2.2-C2.6: how Gmail and its client behave
