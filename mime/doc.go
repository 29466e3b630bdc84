// Package mime builds a mail message once and reads any message that a
// program hands over. A message is a Source (bytes that are read at any
// offset) with its header parsed; it has two wire views, one for SMTP (no Bcc)
// and one for APIs without an envelope (address lines first, Bcc as the
// envelope needs), which are identical in every other header line and in the
// whole body. Everything streams: memory does not grow with the message.
package mime
