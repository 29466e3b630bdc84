// Package smtpd is the SMTP submission server (RFC 6409): any number of listeners,
// each with its own policy, that take messages from programs and devices.
//
// The protocol engine is our own. The server library emersion/go-smtp writes each
// reply by itself, has one limit for all lines, goes on after a failed STARTTLS and
// after a timeout inside DATA, and hides its reader, so that bare line ends, input
// after STARTTLS and slow senders would need a second parser around it. SMTP
// smuggling is what happens when two parsers disagree.
//
// What holds for every session:
//   - one reader, one parser: what is content and what is a command is decided
//     in one place (dotReader); where it is not certain the session ends;
//   - 250 is sent after Submit returned nil, never before;
//   - memory is a 16 KiB reader and a small writer, whatever is sent;
//   - a line, a message and a session have deadlines that a slow peer cannot
//     extend, and a session that does nothing makes room when room is needed;
//   - only clients may send: known by AUTH, by a client's networks, by the networks
//     of a listener, or because they run on this machine (policy.go).
package smtpd
