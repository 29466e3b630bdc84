// Package smtpsyntax reads the syntax of SMTP (RFC 5321 and its extensions): paths,
// parameters, xtext, chunk sizes and the dot-stuffed content of DATA.
//
// It is a leaf that both SMTP servers use: internal/smtpd, which takes what real
// devices send, and adapters/sandbox/smtp, which is strict. Both read the same way
// and differ in what they refuse: Path.Irregular says what only a tolerant server
// takes.
package smtpsyntax
