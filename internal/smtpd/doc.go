// Package smtpd is the SMTP submission door (RFC 6409): any number of
// listeners, each with its own policy, that hand messages to submit.
//
// The protocol engine is our own. The known server library answers each command
// with a write of its own, bounds every line alike, goes on after a failed
// STARTTLS and after a timeout inside DATA, and keeps its reader to itself, so
// that bare line ends, input behind STARTTLS and slow senders can only be dealt
// with by a second parser around it, which then disagrees with the first. Two
// parsers that disagree are what SMTP smuggling is.
//
// What holds for every session:
//   - one reader, one parser: what is content and what is a command is decided
//     in one place (dots.go); where it is not certain the session ends;
//   - 250 is said after Submit gave nil, never before;
//   - memory is a 16 KiB reader and a small writer, whatever is sent;
//   - a line, a message and a session have deadlines that a slow peer cannot
//     push back, and a session that does nothing makes room when room is needed;
//   - nobody sends who is not a client: by AUTH, by a client's networks, by the
//     networks of a listener, or from this machine (policy.go).
package smtpd
